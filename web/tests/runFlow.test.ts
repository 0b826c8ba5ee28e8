import { expect, test } from "vitest";

import { buildRunFlow, type RunFlow } from "../src/flow/runFlow";
import { positions } from "../src/flow/flowLayout";
import { ANALYZED, DECIDED, journal, RECALLED, recordOf, STARTED } from "./journal";

const stateOf = (flow: RunFlow, id: string) => flow.steps.find((step) => step.id === id)?.state;
const taken = (flow: RunFlow) => flow.edges.filter((edge) => edge.kind === "taken").map((edge) => edge.id);

test("without a run the declared graph is drawn, and nothing has begun", () => {
  const flow = buildRunFlow(null);
  expect(flow.steps.map((step) => step.state)).toEqual(Array(8).fill("idle"));
  expect(flow.edges.every((edge) => edge.kind === "declared")).toBe(true);
  expect(flow.edges).toHaveLength(8);
});

test("analyzer and history work side by side", () => {
  const flow = buildRunFlow(recordOf(journal(STARTED, RECALLED)));
  expect(stateOf(flow, "history/1")).toBe("done");
  expect(stateOf(flow, "analyzer/1")).toBe("active");
  expect(stateOf(flow, "monitor/1")).toBe("idle");
});

test("another attempt follows the judgement that asked for it", () => {
  const events = journal(
    STARTED, ANALYZED, RECALLED, DECIDED,
    ["executor/1", "AnswerGenerated"],
    ["validator/1", "OutputValidated", { score: 10, verdict: "retry" }],
  );
  const flow = buildRunFlow(recordOf(events));
  expect(stateOf(flow, "executor/2")).toBe("active");
  expect(stateOf(flow, "validator/2")).toBe("idle");
  expect(flow.edges.find((edge) => edge.kind === "active")?.id).toBe("validator/1>executor/2");
  expect(taken(flow)).toContain("monitor/1>executor/1");
});

test("a monitor that is not asked is passed by, and stands aside", () => {
  const wishes = { submitted: { prompt: "p", model: "m", strategy: "s" } };
  const flow = buildRunFlow(recordOf(journal(["started", "RunStarted", wishes], ANALYZED, RECALLED)));
  expect(stateOf(flow, "executor/1")).toBe("active");
  expect(stateOf(flow, "monitor/1")).toBe("skipped");
  const places = positions(flow.steps);
  expect(places.get("monitor/1")?.x).not.toBe(places.get("executor/1")?.x);
});

test("the outcome follows the step it names, though that ends later", () => {
  const events = journal(
    STARTED, ANALYZED, RECALLED, DECIDED,
    ["outcome", "RunFailed", { step: "executor/1", error: { code: "deadline_exceeded", message: "late" } }],
    ["executor/1", "AnswerGenerated", { result: { finish_reason: "cancelled", usage: {} } }],
  );
  const flow = buildRunFlow(recordOf(events));
  expect(stateOf(flow, "outcome")).toBe("failed");
  expect(stateOf(flow, "executor/1")).toBe("cancelled");
  expect(stateOf(flow, "validator/1")).toBe("skipped");
  expect(taken(flow)).toContain("executor/1>outcome");
});

test("a retryable failure is tried again, another one ends the run", () => {
  const failed = (retryable: boolean) =>
    buildRunFlow(recordOf(journal(STARTED, ANALYZED, RECALLED, DECIDED, ["executor/1", "StepFailed", { error: { code: "x", message: "x", retryable } }])));
  expect(stateOf(failed(true), "executor/2")).toBe("active");
  expect(stateOf(failed(false), "outcome")).toBe("active");
});
