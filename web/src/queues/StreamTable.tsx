import type { StreamReport } from "../api/types";
import { formatBytes, formatCount, formatMs } from "../shell/format";

/** The streams on the bus, and how full they are. */
export function StreamTable({ streams }: { streams: readonly StreamReport[] }) {
  return (
    <section className="card" aria-label="Streams">
      <div className="card-head"><h2>Streams</h2></div>
      <table className="rows">
        <thead>
          <tr><th>Stream</th><th>Kept in</th><th className="num">Messages</th><th className="num">Size</th><th className="num">Of</th><th className="num">Kept for</th><th className="num">Replicas</th></tr>
        </thead>
        <tbody>
          {streams.map((stream) => (
            <tr key={stream.name}>
              <td className="main-cell"><span title={stream.subjects.join(", ")}>{stream.name}</span></td>
              <td data-label="kept in">{stream.storage}</td>
              <td className="num" data-label="messages">{formatCount(stream.num_messages)}</td>
              <td className="num" data-label="size">{formatBytes(stream.size_bytes)}</td>
              <td className="num" data-label="of">{stream.max_bytes > 0 ? formatBytes(stream.max_bytes) : "no limit"}</td>
              <td className="num" data-label="kept for">{stream.max_age_s > 0 ? ageOf(stream.max_age_s) : "ever"}</td>
              <td className="num" data-label="replicas">{stream.num_replicas}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const DAY_S = 86_400;

function ageOf(s: number): string {
  return s >= DAY_S ? `${Math.round(s / DAY_S)} d` : formatMs(s * 1000);
}
