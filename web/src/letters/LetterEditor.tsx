import { useState } from "react";

import { problemOf } from "../api/problem";
import type { LetterView } from "../api/types";
import { ProblemNote } from "../shell/ProblemNote";
import { JsonView } from "../shell/JsonView";
import { useSettle } from "./useSettle";

/** The payload of a letter, which may be corrected before it is sent again. */
export function LetterEditor({ letter }: { letter: LetterView }) {
  const settle = useSettle(String(letter.letter_id));
  const saved = pretty(letter.payload ?? "");
  const [text, setText] = useState(saved);
  const [reason, setReason] = useState("");
  const isChanged = text !== saved;
  if (letter.state !== "open") return <JsonView value={parsed(letter.payload ?? "")} />;
  return (
    <form className="stack" onSubmit={(event) => event.preventDefault()}>
      <label>
        {`Payload${letter.edited ? " (edited)" : ""}`}
        <textarea className="mono" rows={12} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      {!letter.is_whole && <p className="hint">This is not all that came: bytes of it were no text, or were cut.</p>}
      {letter.obstacle && !isChanged && <p className="hint">{`It cannot be sent again as it is: ${letter.obstacle.message}`}</p>}
      {letter.replay_sends && !isChanged && (
        <p className="hint">Sending it again publishes to <code>{letter.replay_sends.subject}</code> as run <code>{letter.replay_sends.run_id.slice(0, 12)}…</code></p>
      )}
      {settle.error && <ProblemNote problem={problemOf(settle.error)} />}
      <div className="row wrap">
        <button type="button" disabled={!isChanged || settle.isPending} onClick={() => settle.mutate({ kind: "edit", payload: text })}>Save the correction</button>
        <button type="button" className="primary" disabled={isChanged || settle.isPending || Boolean(letter.obstacle)} onClick={() => settle.mutate({ kind: "replay" })}>Send again</button>
        <span className="grow" />
        <label className="inline">
          <span className="visually-hidden">Why it is dropped</span>
          <input type="text" maxLength={500} placeholder="why it is dropped" value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
        <button type="button" disabled={settle.isPending} onClick={() => settle.mutate({ kind: "drop", reason })}>Drop</button>
      </div>
    </form>
  );
}

function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}

function pretty(payload: string): string {
  const value = parsed(payload);
  return typeof value === "string" ? payload : JSON.stringify(value, null, 2);
}
