import type { QueueReport } from "../api/types";
import { formatCount } from "../shell/format";

const PRIORITIES = ["interactive", "normal", "batch"] as const;
type Priority = (typeof PRIORITIES)[number];

interface PriorityTableProps {
  title: string;
  what: string;
  queues: readonly QueueReport[];
}

/** Queues that exist once for each priority, a row for what they are of. */
export function PriorityTable({ title, what, queues }: PriorityTableProps) {
  const rows = byBase(queues);
  if (rows.size === 0) return null;
  return (
    <section className="card" aria-label={title}>
      <div className="card-head">
        <h2>{title}</h2>
        <span className="hint">waiting + being worked on</span>
      </div>
      <table className="rows queues">
        <thead>
          <tr>
            <th>{what}</th>
            {PRIORITIES.map((priority) => <th key={priority} className="num">{priority}</th>)}
            <th className="num" title="given out again because nobody answered in time">Given out again</th>
            <th className="num" title="requests of workers that wait for something to do">Workers asking</th>
          </tr>
        </thead>
        <tbody>
          {[...rows].map(([base, found]) => {
            const all = [...found.values()];
            const numAgain = sum(all.map((queue) => queue.num_redelivered));
            const numPulling = sum(all.map((queue) => queue.num_pulling));
            return (
              <tr key={base} data-quiet={all.every((queue) => queue.num_waiting + queue.num_taken === 0)}>
                <td className="main-cell">{base}</td>
                {PRIORITIES.map((priority) => <Depth key={priority} label={priority} queue={found.get(priority)} />)}
                <td className="num" data-label="given out again" data-some={numAgain > 0}>{formatCount(numAgain)}</td>
                <td className="num" data-label="workers asking" data-none={numPulling === 0}>
                  {numPulling === 0 ? "nobody" : formatCount(numPulling)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function Depth({ label, queue }: { label: string; queue: QueueReport | undefined }) {
  if (!queue) return <td className="num" data-label={label}>–</td>;
  const isSome = queue.num_waiting + queue.num_taken > 0;
  return (
    <td className="num" data-label={label} data-some={isSome}>
      {isSome ? `${formatCount(queue.num_waiting)} + ${formatCount(queue.num_taken)}` : "0"}
    </td>
  );
}

/** `prompts.batch` and `tasks.executor.pocket.batch` without their ends, each with its queues. */
function byBase(queues: readonly QueueReport[]): Map<string, Map<Priority, QueueReport>> {
  const rows = new Map<string, Map<Priority, QueueReport>>();
  for (const queue of queues) {
    const parts = (queue.subjects[0] ?? queue.name).split(".");
    const priority = PRIORITIES.find((one) => one === parts.at(-1));
    const base = parts.slice(0, -1).join(".").replace(/^tasks\.executor\./, "");
    if (!priority) continue;
    const row = rows.get(base) ?? new Map<Priority, QueueReport>();
    rows.set(base, row.set(priority, queue));
  }
  return rows;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
