import { dataOf, isOutcome, storedMs } from "../run/eventData";
import type { RunRecord } from "../run/runRecord";
import type { RunEvent } from "../api/types";
import { describeEvent } from "./describeEvent";

export type StepState = "idle" | "active" | "waiting" | "done" | "failed" | "cancelled" | "skipped";

export type Stage =
  | "prompt"
  | "analyzer"
  | "history"
  | "monitor"
  | "executor"
  | "validator"
  | "outcome"
  | "summarizer";

/** One box: a step that happened, happens, or is declared. Times are milliseconds since the epoch. */
export interface FlowStep {
  id: string;
  stage: Stage;
  attempt: number;
  state: StepState;
  detail: string;
  place: string;
  durationMs: number | null;
  beganMs: number | null;
  endedMs: number | null;
  event: RunEvent | null;
}

export interface FlowEdge {
  id: string;
  source: string;
  target: string;
  kind: "declared" | "taken" | "active";
}

export interface RunFlow {
  steps: FlowStep[];
  edges: FlowEdge[];
}

export const STAGES: readonly Stage[] = [
  "prompt", "analyzer", "history", "monitor", "executor", "validator", "outcome", "summarizer",
];

/** The graph every run is led through, whatever happens in it. */
const DECLARED: readonly (readonly [Stage, Stage])[] = [
  ["prompt", "analyzer"],
  ["prompt", "history"],
  ["analyzer", "monitor"],
  ["history", "monitor"],
  ["monitor", "executor"],
  ["executor", "validator"],
  ["validator", "outcome"],
  ["outcome", "summarizer"],
];

const FOLLOWS: Partial<Record<Stage, readonly Stage[]>> = {
  executor: ["validator", "executor", "monitor"],
  validator: ["executor"],
  outcome: ["validator", "executor", "monitor", "analyzer", "history", "prompt"],
  summarizer: ["outcome"],
};

/** Boxes and arrows of a run: the declared graph, and over it what happened and happens. */
export function buildRunFlow(record: RunRecord | null): RunFlow {
  const events = record?.events ?? [];
  const steps = record === null ? [] : [promptStep(record), ...happenedSteps(events)];
  const taken = takenEdges(steps);
  const active = record === null ? [] : activeSteps(record, steps);
  const activeEdges = active.flatMap((step) =>
    sourcesOf(step.stage, [...steps]).map((source) => edge(source, step.id, "active")),
  );
  const all = [...steps, ...active];
  const isOver = record !== null && (record.view !== null || events.some(isOutcome));
  const reached = Math.max(-1, ...all.map((step) => STAGES.indexOf(step.stage)));
  for (const [at, stage] of STAGES.entries()) {
    if (all.every((step) => step.stage !== stage)) all.push(declaredStep(stage, isOver || at < reached));
  }
  const lastAttempt = Math.max(1, ...all.filter((step) => step.stage === "executor").map((step) => step.attempt));
  const isJudged = all.some((step) => step.stage === "validator" && step.attempt >= lastAttempt);
  if (!isJudged && !isOver) all.push({ ...declaredStep("validator", false), id: `validator/${lastAttempt}`, attempt: lastAttempt });
  return { steps: all, edges: [...taken, ...activeEdges, ...declaredEdges(all, [...taken, ...activeEdges])] };
}

function promptStep(record: RunRecord): FlowStep {
  const started = record.events.find((event) => event.event_type === "RunStarted") ?? null;
  const isOrphan = started === null && record.events.length > 0;
  const priority = started ? (dataOf(started).priority ?? "normal") : "queued";
  return {
    ...declaredStep("prompt", false),
    state: started || isOrphan ? "done" : "waiting",
    detail: started ? `${priority} priority` : (record.waiting?.message ?? priority),
    endedMs: started ? storedMs(started) : null,
    event: started,
  };
}

function happenedSteps(events: readonly RunEvent[]): FlowStep[] {
  const places = new Map<string, string>();
  const steps: FlowStep[] = [];
  for (const event of events) {
    const data = dataOf(event);
    const [node, attempt] = event.step.split("/");
    if (event.event_type === "ResourcesDecided" && data.host) places.set(data.model ?? "", data.host);
    const isEnd = isOutcome(event);
    if (!isEnd && (attempt === undefined || !STAGES.includes(node as Stage))) continue;
    const durationMs = data.duration_ms ?? null;
    const endedMs = storedMs(event);
    const model = isEnd ? undefined : (data.result?.model ?? data.model);
    steps.push({
      id: isEnd ? "outcome" : event.step,
      stage: isEnd ? "outcome" : (node as Stage),
      attempt: Number(attempt ?? 1),
      state: stateOf(event),
      detail: describeEvent(event),
      place: model ? [model, places.get(model)].filter(Boolean).join(" · ") : "",
      durationMs,
      beganMs: endedMs - (durationMs ?? 0),
      endedMs,
      event,
    });
  }
  return steps;
}

function stateOf(event: RunEvent): StepState {
  if (event.event_type === "RunFailed" || event.event_type === "StepFailed") return "failed";
  const isCancelled = event.event_type === "RunCancelled" || dataOf(event).result?.finish_reason === "cancelled";
  return isCancelled ? "cancelled" : "done";
}

function takenEdges(steps: readonly FlowStep[]): FlowEdge[] {
  const edges: FlowEdge[] = [];
  const before: FlowStep[] = [];
  for (const step of steps) {
    const at = step.stage === "outcome" && step.event ? dataOf(step.event).step : undefined;
    const named = steps.find((one) => one.id === at);
    const sources = named ? [named.id] : sourcesOf(step.stage, before);
    for (const source of sources) edges.push(edge(source, step.id, "taken"));
    before.push(step);
  }
  return edges;
}

/** The steps among `before`, in the order they ended, that lead to one of `stage`. */
function sourcesOf(stage: Stage, before: readonly FlowStep[]): string[] {
  if (stage === "prompt") return [];
  if (stage === "analyzer" || stage === "history") return ["prompt"];
  const wanted = FOLLOWS[stage] ?? [];
  const latest = before.findLast((step) => wanted.includes(step.stage));
  if (latest && (stage !== "outcome" || latest.stage !== "history")) return [latest.id];
  return before.filter((step) => step.stage === "analyzer" || step.stage === "history").map((step) => step.id);
}

/** What is being worked on now, as the rules of the graph tell it from what has ended. */
function activeSteps(record: RunRecord, steps: readonly FlowStep[]): FlowStep[] {
  if (record.error !== null || !record.events.some((event) => event.event_type === "RunStarted")) return [];
  const began = steps.at(-1)?.endedMs ?? null;
  return nextStages(record, steps).map(([stage, attempt]) => {
    const waits = stage === "executor" && record.waiting !== null;
    const text = record.texts.get(attempt);
    return {
      ...declaredStep(stage, false),
      id: stage === "outcome" ? "outcome" : `${stage}/${attempt}`,
      attempt,
      state: waits ? "waiting" : "active",
      detail: waits ? (record.waiting?.message ?? "") : stage === "executor" && text ? `${text.numChars} characters so far` : "",
      place: stage === "executor" ? placeAhead(record) : "",
      beganMs: began,
    };
  });
}

function placeAhead(record: RunRecord): string {
  const decided = record.events.findLast((event) => event.event_type === "ResourcesDecided");
  const model = record.waiting?.model || (decided && dataOf(decided).model);
  const host = record.waiting?.host ?? (decided && dataOf(decided).host);
  return [model, host].filter(Boolean).join(" · ");
}

function nextStages(record: RunRecord, steps: readonly FlowStep[]): [Stage, number][] {
  const latest = (stage: Stage) => steps.findLast((step) => step.stage === stage);
  if (latest("outcome")) {
    const isTold = latest("summarizer") !== undefined;
    return isTold || latest("outcome")?.state !== "done" ? [] : [["summarizer", 1]];
  }
  const beginning: [Stage, number][] = [];
  if (!latest("analyzer")) beginning.push(["analyzer", 1]);
  if (!latest("history")) beginning.push(["history", 1]);
  if (beginning.length > 0) return beginning;
  const last = steps.findLast((step) => ["monitor", "executor", "validator"].includes(step.stage));
  const attempt = latest("executor")?.attempt ?? 0;
  const data = last?.event ? dataOf(last.event) : {};
  if (!last) {
    const wanted = record.events.map(dataOf).find((one) => one.submitted)?.submitted;
    return wanted?.model && wanted.strategy ? [["executor", 1]] : [["monitor", 1]];
  }
  if (last.stage === "monitor") return last.state === "failed" ? [["outcome", 1]] : [["executor", attempt + 1]];
  if (last.stage === "executor" && last.state === "done") return [["validator", attempt]];
  const isAgain = data.error?.retryable === true || data.verdict === "retry";
  return isAgain ? [["executor", attempt + 1]] : [["outcome", 1]];
}

function declaredStep(stage: Stage, isOver: boolean): FlowStep {
  return {
    id: stage === "prompt" || stage === "outcome" ? stage : `${stage}/1`,
    stage,
    attempt: 1,
    state: isOver ? "skipped" : "idle",
    detail: "",
    place: "",
    durationMs: null,
    beganMs: null,
    endedMs: null,
    event: null,
  };
}

/** The declared edges between the last boxes of two stages, where none was taken in between. */
function declaredEdges(steps: readonly FlowStep[], drawn: readonly FlowEdge[]): FlowEdge[] {
  const last = new Map(steps.map((step) => [step.stage, step]));
  const first = new Map(steps.map((step) => [step.stage, step] as const).reverse());
  const left = new Set(drawn.map((one) => one.source));
  const reached = new Set(drawn.map((one) => one.target));
  return DECLARED.flatMap(([from, to]) => {
    const source = last.get(from);
    const target = (to === "executor" ? first : last).get(to);
    if (!source || !target || (left.has(source.id) && reached.has(target.id))) return [];
    return [edge(source.id, target.id, "declared")];
  });
}

function edge(source: string, target: string, kind: FlowEdge["kind"]): FlowEdge {
  return { id: `${source}>${target}`, source, target, kind };
}
