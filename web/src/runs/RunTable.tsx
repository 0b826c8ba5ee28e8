import { problemOf } from "../api/problem";
import type { RunRow } from "../api/types";
import { useCancel } from "../run/useCancel";
import { StateMark } from "../shell/StateMark";
import { formatCount, formatMs, formatTime } from "../shell/format";
import { hashOf } from "../shell/route";

/** Rows of runs; on narrow screens each becomes a small card. */
export function RunTable({ runs }: { runs: readonly RunRow[] }) {
  const cancel = useCancel();
  return (
    <>
      {cancel.error && <p className="problem" role="alert">{problemOf(cancel.error).message}</p>}
      <table className="rows">
        <thead>
          <tr>
            <th>State</th><th>Prompt</th><th>Model</th><th>Task</th>
            <th className="num">Score</th><th className="num">Tokens</th><th className="num">Time</th><th className="num">Began</th>
            <th><span className="visually-hidden">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.run_id} data-state={run.state}>
              <td className="state-cell"><StateMark state={run.state ?? "running"} /> <span>{run.state}</span></td>
              <td className="main-cell">
                <a href={hashOf("runs", run.run_id)} data-row-link>{run.title || run.prompt || run.run_id}</a>
                {run.output && <span className="hint cut">{run.output}</span>}
              </td>
              <td data-label="model" data-dash={!run.selected_model}>{run.selected_model ?? "–"}</td>
              <td data-label="task" data-dash={!run.task_type}>{run.task_type ?? "–"}</td>
              <td className="num" data-label="score" data-dash={typeof run.score !== "number"}>{run.score ?? "–"}</td>
              <td className="num" data-label="tokens" data-dash={typeof run.total_tokens !== "number"}>{typeof run.total_tokens === "number" ? formatCount(run.total_tokens) : "–"}</td>
              <td className="num" data-label="time" data-dash={!run.ended_at}>{durationOf(run)}</td>
              <td className="num" data-label="began">{run.started_at ? formatTime(run.started_at) : "–"}</td>
              <td className="action-cell">
                {run.state === "running" ? (
                  <button type="button" className="quiet" onClick={() => cancel.mutate(run.run_id)}>cancel</button>
                ) : (
                  <a className="quiet" href={hashOf("", null, { again: run.run_id })} title="Run again, on another model if you like">again</a>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function durationOf(run: RunRow): string {
  if (!run.started_at || !run.ended_at) return "–";
  return formatMs(Math.max(0, Date.parse(run.ended_at) - Date.parse(run.started_at)));
}
