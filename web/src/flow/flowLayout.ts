import type { FlowStep, Stage } from "./runFlow";

export const NODE_WIDTH = 200;
export const NODE_HEIGHT = 54;
const COLUMN = NODE_WIDTH + 44;
const ROW_STEP = NODE_HEIGHT + 28;
const BESIDE = (NODE_WIDTH + 16) / 2;

/** A row for each stage, top down; the two that run side by side share one. */
const ROW: Record<Stage, number> = {
  prompt: 0,
  analyzer: 1,
  history: 1,
  monitor: 2,
  executor: 3,
  validator: 4,
  outcome: 5,
  summarizer: 6,
};

/**
 * Where the boxes stand: the stage says the row, the attempt the column.
 *
 * The end stands below the last attempt, and what was passed by stands aside, so that no arrow
 * runs through a box.
 */
export function positions(steps: readonly FlowStep[]): Map<string, { x: number; y: number }> {
  const lastAttempt = Math.max(1, ...steps.filter((step) => step.stage === "executor").map((step) => step.attempt));
  return new Map(steps.map((step) => [step.id, { x: xOf(step, lastAttempt), y: ROW[step.stage] * ROW_STEP }]));
}

function xOf(step: FlowStep, lastAttempt: number): number {
  if (step.stage === "analyzer") return -BESIDE;
  if (step.stage === "history") return BESIDE;
  if (step.stage === "outcome" || step.stage === "summarizer") return (lastAttempt - 1) * COLUMN;
  if (step.state === "skipped") return (step.stage === "monitor" ? 1 : lastAttempt) * COLUMN;
  return (step.attempt - 1) * COLUMN;
}

/** The sides of two boxes that an arrow joins: down, but to the side where the run tries again. */
export function sidesOf(source: { x: number; y: number }, target: { x: number; y: number }): { source: string; target: string } {
  return source.x < target.x && source.y >= target.y ? { source: "right", target: "left" } : { source: "bottom", target: "top" };
}
