import type { FlowStep, Stage } from "./runFlow";

export const NODE_WIDTH = 188;
export const NODE_HEIGHT = 54;
const GAP_X = 22;
const GAP_Y = 30;

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

/** Where a step's box stands: its stage says the row, its attempt the column. */
export function positionOf(step: FlowStep): { x: number; y: number } {
  const y = ROW[step.stage] * (NODE_HEIGHT + GAP_Y);
  if (step.stage === "analyzer") return { x: -(NODE_WIDTH + GAP_X) / 2, y };
  if (step.stage === "history") return { x: (NODE_WIDTH + GAP_X) / 2, y };
  return { x: (step.attempt - 1) * (NODE_WIDTH + GAP_X), y };
}
