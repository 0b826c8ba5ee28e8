import type { RunFlow, StepState } from "../flow/runFlow";
import { dataOf, phasesOf } from "./eventData";

/** One bar: when something began and ended, in milliseconds since the epoch; null: it goes on. */
export interface WaterfallRow {
  id: string;
  step: string | null;
  label: string;
  depth: number;
  state: StepState;
  kind: "run" | "step" | "phase";
  beganMs: number;
  endedMs: number | null;
}

/** The bars of a run, each step followed by the parts of its generation. */
export function waterfallRows(flow: RunFlow): WaterfallRow[] {
  const rows: WaterfallRow[] = [];
  for (const step of flow.steps) {
    if (step.beganMs === null || step.stage === "outcome" || step.stage === "prompt") continue;
    const label = step.attempt > 1 ? `${step.stage} ${step.attempt}` : step.stage;
    const { id, state, beganMs, endedMs } = step;
    rows.push({ id, step: id, label, depth: 1, state, kind: "step", beganMs, endedMs });
    const result = step.event ? dataOf(step.event).result : undefined;
    if (!result || endedMs === null) continue;
    let beginMs = endedMs - result.total_time_ms;
    for (const phase of phasesOf(result)) {
      const end = beginMs + phase.ms;
      rows.push({
        id: `${id}/${phase.name}`, step: id, label: phase.name, depth: 2, state, kind: "phase",
        beganMs: beginMs, endedMs: end,
      });
      beginMs = end;
    }
  }
  return [...runRow(flow, rows), ...rows];
}

function runRow(flow: RunFlow, rows: readonly WaterfallRow[]): WaterfallRow[] {
  if (rows.length === 0) return [];
  const prompt = flow.steps.find((step) => step.stage === "prompt");
  const outcome = flow.steps.find((step) => step.stage === "outcome");
  const first = Math.min(prompt?.endedMs ?? Infinity, ...rows.map((row) => row.beganMs));
  const state = outcome?.event ? outcome.state : "active";
  return [{
    id: "run", step: "outcome", label: "run", depth: 0, state, kind: "run",
    beganMs: first, endedMs: outcome?.endedMs ?? null,
  }];
}
