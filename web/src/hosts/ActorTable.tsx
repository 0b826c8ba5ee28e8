import type { components } from "../api/schema";
import { formatTime } from "../shell/format";

type Presence = components["schemas"]["Presence"];

/** Every living actor process. */
export function ActorTable({ actors }: { actors: readonly Presence[] }) {
  return (
    <section className="card" aria-label="Actors">
      <div className="card-head"><h2>Actors</h2></div>
      <table className="rows">
        <thead>
          <tr><th>Kind</th><th>Host</th><th className="num">Process</th><th className="num">In flight</th><th>Version</th><th className="num">Since</th></tr>
        </thead>
        <tbody>
          {actors.map((actor) => (
            <tr key={`${actor.kind}/${actor.instance}`}>
              <td className="main-cell">{actor.kind}</td>
              <td data-label="host">{actor.host}</td>
              <td className="num" data-label="process">{actor.pid}</td>
              <td className="num" data-label="in flight">{`${actor.num_in_flight ?? 0} of ${actor.max_in_flight ?? 0}`}</td>
              <td data-label="version">{actor.version}</td>
              <td className="num" data-label="since">{formatTime(actor.started_at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
