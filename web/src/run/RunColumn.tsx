import type { LiveStatus } from "../api/liveSocket";
import { Answer } from "../answer/Answer";
import { Composer } from "../composer/Composer";
import { EMPTY_DRAFT } from "../composer/draft";
import { dataOf } from "./eventData";
import { RunHead } from "./RunHead";
import type { RunRecord } from "./runRecord";

/** A run's prompt and answer, and a box to go on asking. */
export function RunColumn({ record, status }: { record: RunRecord; status: LiveStatus }) {
  const started = record.events.find((event) => event.event_type === "RunStarted");
  const submitted = started && dataOf(started).submitted;
  const prompt = submitted?.prompt ?? submitted?.messages?.at(-1)?.content ?? record.view?.prompt ?? "";
  const session = submitted?.session_id ?? "";
  return (
    <section className="ask-column" aria-label="Prompt and answer">
      <RunHead record={record} status={status} />
      {prompt && <div className="asked" tabIndex={0} role="region" aria-label="Prompt">{prompt}</div>}
      <Answer record={record} />
      {record.view && (
        <Composer
          key={session}
          label={session ? "Go on in this session" : "Another prompt"}
          rows={2}
          initial={{ ...EMPTY_DRAFT, session_id: session }}
        />
      )}
    </section>
  );
}
