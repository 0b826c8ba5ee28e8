import type { RunEvent } from "../src/api/types";
import { emptyRecord, withMessages, type RunRecord } from "../src/run/runRecord";

const BEGAN_MS = Date.parse("2026-01-01T00:00:00Z");

/** Events in order: `step`, class, content; each stored 10 ms after the one before. */
export function journal(...told: [string, string, Record<string, unknown>?][]): RunEvent[] {
  return told.map(([step, event_type, data], at) => ({
    run_id: "r",
    sequence: at + 1,
    step,
    event_type,
    time: new Date(BEGAN_MS + at * 10).toISOString(),
    data: data ?? {},
  }));
}

export function recordOf(events: readonly RunEvent[]): RunRecord {
  return withMessages(
    emptyRecord("r"),
    events.map((event) => ({ type: "event", cursor: String(event.sequence), ...event })),
  );
}

export const STARTED: [string, string, Record<string, unknown>] = ["started", "RunStarted", { submitted: { prompt: "p" } }];
export const ANALYZED: [string, string] = ["analyzer/1", "PromptAnalyzed"];
export const RECALLED: [string, string] = ["history/1", "HistoryRecalled"];
export const DECIDED: [string, string, Record<string, unknown>] = ["monitor/1", "ResourcesDecided", { model: "m", host: "h" }];
