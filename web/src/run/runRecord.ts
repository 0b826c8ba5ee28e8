import type { ErrorInfo, LiveMessage, RunEvent, RunView, WaitReport } from "../api/types";

/** The text of one attempt as far as it is generated; `numChars` counts Unicode code points. */
export interface AttemptText {
  text: string;
  numChars: number;
}

/** All that the page knows of one run; never changed, only replaced. */
export interface RunRecord {
  runId: string;
  events: readonly RunEvent[];
  texts: ReadonlyMap<number, AttemptText>;
  waiting: WaitReport | null;
  view: RunView | null;
  error: ErrorInfo | null;
}

export function emptyRecord(runId: string): RunRecord {
  return { runId, events: [], texts: new Map(), waiting: null, view: null, error: null };
}

/** The record after `messages`; those it knows already change nothing. */
export function withMessages(record: RunRecord, messages: readonly LiveMessage[]): RunRecord {
  const events = [...record.events];
  const texts = new Map(record.texts);
  let { waiting, view, error } = record;
  let newest = events.at(-1)?.sequence ?? 0;
  for (const message of messages) {
    if (message.type === "event" && message.sequence > newest) {
      newest = message.sequence;
      events.push(message);
      waiting = null;
    } else if (message.type === "token") {
      texts.set(message.attempt, joined(texts.get(message.attempt), message.offset, message.text));
      waiting = null;
    } else if (message.type === "waiting") waiting = message;
    else if (message.type === "done") {
      view = message.run;
      waiting = null;
    } else if (message.type === "error") error = message.error;
  }
  return { runId: record.runId, events, texts, waiting, view, error };
}

/** `before` with `text` from code point `offset` on. */
export function joined(before: AttemptText | undefined, offset: number, text: string): AttemptText {
  const known = before ?? { text: "", numChars: 0 };
  const kept =
    offset === known.numChars ? known.text : Array.from(known.text).slice(0, offset).join("");
  return { text: kept + text, numChars: offset + Array.from(text).length };
}

/** The record with events that were read from the journal. */
export function withJournal(record: RunRecord, events: readonly RunEvent[]): RunRecord {
  const newest = record.events.at(-1)?.sequence ?? 0;
  const later = events.filter((event) => event.sequence > newest);
  return later.length === 0 ? record : { ...record, events: [...record.events, ...later] };
}

/** The answer to show: the outcome's, else the latest attempt's text. */
export function answerOf(record: RunRecord): string {
  if (record.view?.output) return record.view.output;
  const latest = Math.max(0, ...record.texts.keys());
  return record.texts.get(latest)?.text ?? "";
}
