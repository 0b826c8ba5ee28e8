import type { RunRecord } from "../run/runRecord";
import { answerOf } from "../run/runRecord";
import { CopyButton } from "../shell/CopyButton";
import { ProblemNote } from "../shell/ProblemNote";
import { Markdown } from "./Markdown";
import { WaitNote } from "./WaitNote";

/** The answer as far as it is known: awaited, growing, whole, or why there is none. */
export function Answer({ record }: { record: RunRecord }) {
  const text = answerOf(record);
  const { view, waiting, error } = record;
  const isGrowing = view === null && error === null;
  const fault = error ?? (view?.state === "failed" ? view.error : null);
  return (
    <div className="answer" aria-busy={isGrowing} data-growing={isGrowing}>
      {waiting && <WaitNote report={waiting} />}
      {text ? <Markdown text={text} /> : isGrowing && !waiting && <p className="hint">{awaited(record)}</p>}
      {fault && <ProblemNote problem={fault} />}
      {view?.state === "cancelled" && (
        <p className="hint">Cancelled{view.stage ? ` while ${view.stage}` : ""}{view.reason ? `: ${view.reason}` : ""}.</p>
      )}
      {view?.accepted === false && view.findings.length > 0 && (
        <p className="hint">The validator found: {view.findings.map((one) => one.detail || one.name).join(" ")}</p>
      )}
      {view?.output && <div className="row end"><CopyButton text={view.output} label="copy answer" /></div>}
    </div>
  );
}

function awaited(record: RunRecord): string {
  return record.events.length === 0 ? "Waiting for a coordinator…" : "Waiting for the first word…";
}
