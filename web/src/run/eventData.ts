import type { ErrorInfo, RunEvent } from "../api/types";

/** What a model answered and what it took; see docs/schema/GenerationResult.json. */
export interface GenerationResult {
  output: string;
  model: string;
  strategy: string;
  provider: string;
  source: string;
  finish_reason: string;
  cache_hit: boolean;
  load_time_ms: number;
  queue_time_ms: number;
  first_token_ms?: number;
  inference_time_ms: number;
  total_time_ms: number;
  fallback_from?: string;
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** The fields of all events that the page reads; each event has some of them (docs/schema). */
export interface EventData {
  attempt?: number;
  duration_ms?: number;
  submitted?: {
    prompt?: string;
    messages?: { role: string; content: string }[];
    model?: string;
    strategy?: string;
    max_tokens?: number;
    temperature?: number;
    max_attempts?: number;
    session_id?: string;
    local_only?: boolean;
  };
  priority?: string;
  trace_id?: string;
  task_type?: string;
  language?: string;
  difficulty?: string;
  num_tokens?: number;
  turns?: unknown[];
  model?: string;
  strategy?: string;
  host?: string;
  reason?: string;
  result?: GenerationResult;
  score?: number;
  verdict?: "accept" | "retry";
  findings?: { name: string; detail: string; penalty: number }[];
  title?: string;
  error?: ErrorInfo;
  step?: string;
  num_attempts?: number;
  cancel_ms?: number;
}

export function dataOf(event: RunEvent): EventData {
  return event.data as EventData;
}

/** When it was stored, in milliseconds since the epoch; with the fraction that `Date` drops. */
export function storedMs(event: RunEvent): number {
  const fraction = /\.\d{3}(\d+)/.exec(event.time)?.[1];
  return Date.parse(event.time) + (fraction ? Number(`0.${fraction}`) : 0);
}

const OUTCOMES = new Set(["RunAnswered", "RunFailed", "RunCancelled"]);

export function isOutcome(event: RunEvent): boolean {
  return OUTCOMES.has(event.event_type);
}

/** The parts of a generation one after another, in milliseconds; those that took none are left out. */
export function phasesOf(result: GenerationResult): { name: string; ms: number }[] {
  const queue = result.queue_time_ms;
  const load = result.load_time_ms;
  const first = result.first_token_ms ?? result.total_time_ms;
  const parts = [
    { name: "queue", ms: queue },
    { name: "load", ms: load },
    { name: "prefill", ms: Math.max(0, first - queue - load) },
    { name: "decode", ms: Math.max(0, result.total_time_ms - Math.max(first, queue + load)) },
  ];
  return parts.filter((part) => part.ms > 0);
}
