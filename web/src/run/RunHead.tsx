import { useEffect, useState } from "react";

import type { LiveStatus } from "../api/liveSocket";
import { problemOf } from "../api/problem";
import { CopyButton } from "../shell/CopyButton";
import { StateMark } from "../shell/StateMark";
import { formatCount, formatMs } from "../shell/format";
import { hashOf } from "../shell/route";
import { dataOf, storedMs } from "./eventData";
import type { RunRecord } from "./runRecord";
import { TraceLink } from "./TraceLink";
import { useCancel } from "./useCancel";

/** The run in one line: its state, model, time and tokens, and what can be done with it. */
export function RunHead({ record, status }: { record: RunRecord; status: LiveStatus }) {
  const { runId, view, events } = record;
  const cancel = useCancel();
  const started = events.find((event) => event.event_type === "RunStarted");
  const title = events.findLast((event) => event.event_type === "RunSummarized");
  const isOver = view !== null || record.error !== null;
  const state = view?.state ?? (record.error ? (record.error.code === "unknown_run" ? "unknown" : "failed") : started ? "running" : "queued");
  const isCancelling = events.some((event) => event.event_type === "CancelRequested") || cancel.isPending;
  const totalTokens = view?.execution_metrics?.["total_tokens"];
  return (
    <header className="run-head">
      <div className="run-line">
        <StateMark state={state} />
        <h1>{(title && dataOf(title).title) || `Run ${runId.slice(-8)}`}</h1>
        <span className="run-actions">
          {!isOver && (
            <button type="button" data-shortcut="cancel" disabled={isCancelling} onClick={() => cancel.mutate(runId)}>
              {isCancelling ? "Cancelling…" : "Cancel"}
            </button>
          )}
          {started && <a className="button" href={hashOf("", null, { again: runId })}>Run again…</a>}
        </span>
      </div>
      <dl className="facts">
        <div><dt>state</dt><dd data-fact="state">{status === "lost" && !isOver ? `${state}, connection lost` : state}</dd></div>
        {view?.selected_model && <div><dt>model</dt><dd>{view.selected_model}</dd></div>}
        {started && <div><dt>time</dt><dd><Elapsed fromMs={storedMs(started)} totalMs={view?.total_time_ms ?? null} isOver={isOver} /></dd></div>}
        {typeof totalTokens === "number" && <div><dt>tokens</dt><dd>{formatCount(totalTokens)}</dd></div>}
        {view?.score !== null && view?.score !== undefined && <div><dt>score</dt><dd>{view.score}/100</dd></div>}
        <div><dt>run</dt><dd className="mono"><span title={runId}>{runId.slice(0, 8)}…</span> <CopyButton text={runId} /></dd></div>
        {view && <TraceLink runId={runId} />}
      </dl>
      {cancel.error && <p className="problem" role="alert">{problemOf(cancel.error).message}</p>}
    </header>
  );
}

function Elapsed({ fromMs, totalMs, isOver }: { fromMs: number; totalMs: number | null; isOver: boolean }) {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    if (isOver) return undefined;
    const timer = window.setInterval(() => setNowMs(Date.now()), 100);
    return () => window.clearInterval(timer);
  }, [isOver]);
  return <>{formatMs(totalMs ?? Math.max(0, nowMs - fromMs))}</>;
}
