import { expect, test } from "vitest";

import { answerOf, emptyRecord, joined, withMessages } from "../src/run/runRecord";
import { ANALYZED, journal, recordOf, STARTED } from "./journal";

test("pieces are joined by code points, not by what strings count", () => {
  const first = joined(undefined, 0, "a😀");
  expect(first).toEqual({ text: "a😀", numChars: 2 });
  expect(joined(first, 2, "b").text).toBe("a😀b");
});

test("an executor that begins anew replaces what came before", () => {
  const first = joined(undefined, 0, "one two");
  expect(joined(first, 0, "un").text).toBe("un");
  expect(joined(first, 3, "!").text).toBe("one!");
});

test("events that are told again change nothing", () => {
  const events = journal(STARTED, ANALYZED);
  const record = recordOf(events);
  const again = withMessages(record, events.map((event) => ({ type: "event", cursor: "1", ...event })));
  expect(again.events).toEqual(record.events);
});

test("text ends a wait, and the latest attempt is the answer", () => {
  const record = withMessages(emptyRecord("r"), [
    { type: "waiting", run_id: "r", attempt: 1, model: "m", cause: "queued", message: "2 ahead", waited_s: 1 },
    { type: "token", cursor: "1", attempt: 1, offset: 0, text: "first" },
    { type: "token", cursor: "2", attempt: 2, offset: 0, text: "second" },
  ]);
  expect(record.waiting).toBeNull();
  expect(answerOf(record)).toBe("second");
});
