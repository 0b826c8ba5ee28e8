import { useId, useState, type KeyboardEvent } from "react";

import { problemOf } from "../api/problem";
import { go, hashOf } from "../shell/route";
import { ProblemNote } from "../shell/ProblemNote";
import { EMPTY_DRAFT, numLimits, requestOf, type Draft } from "./draft";
import { LimitFields } from "./LimitFields";
import { ModelFields } from "./ModelFields";
import { useSubmit } from "./useSubmit";

interface ComposerProps {
  initial?: Draft | null;
  label?: string;
  rows?: number;
}

/** The box a prompt is written in, with the wishes that go with it. */
export function Composer({ initial, label = "Prompt", rows = 5 }: ComposerProps) {
  const [draft, setDraft] = useState(initial ?? EMPTY_DRAFT);
  const id = useId();
  const submit = useSubmit((run) => {
    setDraft((before) => ({ ...before, prompt: "" }));
    go(hashOf("runs", run.run_id));
  });
  const change = (changes: Partial<Draft>) => setDraft((before) => ({ ...before, ...changes }));
  const send = () => {
    if (draft.prompt.trim() !== "" && !submit.isPending) submit.mutate(requestOf(draft));
  };
  const onKey = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.currentTarget.form?.requestSubmit();
    }
  };
  const num = numLimits(draft);
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label className="visually-hidden" htmlFor={id}>{label}</label>
      <textarea
        id={id}
        rows={rows}
        value={draft.prompt}
        placeholder={rows > 2 ? "Ask something…" : "Ask something else…"}
        data-shortcut="prompt"
        onChange={(event) => change({ prompt: event.target.value })}
        onKeyDown={onKey}
      />
      <div className="composer-wishes">
        <ModelFields draft={draft} change={change} />
        <button type="submit" className="primary" disabled={draft.prompt.trim() === "" || submit.isPending} title="Ctrl Enter">
          {submit.isPending ? "Sending…" : "Send"}
        </button>
      </div>
      <details className="limits">
        <summary>{`Limits${num > 0 ? ` (${num} set)` : ""}`}</summary>
        <LimitFields draft={draft} change={change} />
      </details>
      {submit.error && <ProblemNote problem={problemOf(submit.error)} />}
    </form>
  );
}
