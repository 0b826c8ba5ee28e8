import type { QueueReport } from "../api/types";
import { formatCount } from "../shell/format";

/** Queues in the order of their names; empty ones are kept quiet. */
export function QueueTable({ title, queues }: { title: string; queues: readonly QueueReport[] }) {
  if (queues.length === 0) return null;
  return (
    <section className="card" aria-label={title}>
      <div className="card-head"><h2>{title}</h2></div>
      <table className="rows queues">
        <thead>
          <tr>
            <th>Queue</th><th className="num">Waiting</th><th className="num">Being worked on</th>
            <th className="num" title="given out again because nobody answered in time">Given out again</th>
            <th className="num" title="requests of workers that wait for something to do">Workers asking</th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <tr key={`${queue.stream}/${queue.name}`} data-quiet={queue.num_waiting + queue.num_taken === 0}>
              <td className="main-cell"><span title={queue.subjects.join(", ")}>{queue.subjects[0] ?? queue.name}</span></td>
              <td className="num" data-label="waiting" data-some={queue.num_waiting > 0}>{formatCount(queue.num_waiting)}</td>
              <td className="num" data-label="worked on" data-some={queue.num_taken > 0}>{formatCount(queue.num_taken)}</td>
              <td className="num" data-label="given out again" data-some={queue.num_redelivered > 0}>{formatCount(queue.num_redelivered)}</td>
              <td className="num" data-label="workers asking" data-none={queue.num_pulling === 0}>{queue.num_pulling === 0 ? "nobody" : formatCount(queue.num_pulling)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
