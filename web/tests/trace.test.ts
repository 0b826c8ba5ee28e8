import { expect, test } from "vitest";

import { spansOf, traceRows } from "../src/run/trace";

const span = (spanId: string, parentSpanId: string, start: number, role: string, step?: string) => ({
  traceId: "t",
  spanId,
  parentSpanId,
  name: spanId,
  kind: 1,
  startTimeUnixNano: `${1_700_000_000_000_000_000n + BigInt(start) * 1_000_000n}`,
  endTimeUnixNano: `${1_700_000_000_000_000_000n + BigInt(start + 5) * 1_000_000n}`,
  attributes: [
    { key: "promptbus.span", value: { stringValue: role } },
    ...(step ? [{ key: "promptbus.step", value: { stringValue: step } }] : []),
  ],
});

const document = (...spans: ReturnType<typeof span>[]) => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

test("bars stand below the span they belong to, in the order they began", () => {
  const spans = spansOf(
    document(
      span("load", "chat", 3, "phase"),
      span("chat", "step", 2, "generation"),
      span("run", "", 0, "run"),
      span("late", "run", 9, "step", "validator/1"),
      span("step", "run", 1, "step", "executor/2"),
    ),
  );
  expect(traceRows(spans).map((row) => [row.label, row.depth, row.step])).toEqual([
    ["run", 0, "outcome"],
    ["executor 2", 1, "executor/2"],
    ["chat", 2, "executor/2"],
    ["load", 3, "executor/2"],
    ["validator", 1, "validator/1"],
  ]);
});

test("a span whose parent is unknown stands at the top, and times keep their microseconds", () => {
  const [only] = spansOf(document({ ...span("lost", "nobody", 1, "work"), startTimeUnixNano: "1700000000000123456" }));
  expect(only?.beganMs).toBe(1_700_000_000_000.123);
  expect(traceRows(only ? [only] : []).map((row) => row.depth)).toEqual([0]);
});
