import type { RunEvent } from "../api/types";
import { describeEvent } from "../flow/describeEvent";
import { isOutcome, storedMs } from "./eventData";
import { formatMs } from "../shell/format";

const MAX_SHOWN = 400;

/** The journal of a run in order; beyond the first few hundred it is cut. */
export function EventList({ events, onSelect }: { events: readonly RunEvent[]; onSelect: (step: string) => void }) {
  const first = events[0];
  if (!first) return <p className="empty">No event is stored yet.</p>;
  const beganMs = storedMs(first);
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Events">
      <table className="events">
        <thead><tr><th className="num">after</th><th>step</th><th>event</th></tr></thead>
        <tbody>
          {events.slice(0, MAX_SHOWN).map((event) => (
            <tr key={event.sequence}>
              <td className="num">{formatMs(storedMs(event) - beganMs)}</td>
              <td>
                <button type="button" className="link" onClick={() => onSelect(stepOf(event))}>{event.step}</button>
              </td>
              <td><span className="event-name">{event.event_type}</span> <span className="hint">{describeEvent(event)}</span></td>
            </tr>
          ))}
        </tbody>
      </table>
      {events.length > MAX_SHOWN && <p className="hint">{`${events.length - MAX_SHOWN} more are not shown.`}</p>}
    </div>
  );
}

function stepOf(event: RunEvent): string {
  if (isOutcome(event)) return "outcome";
  return event.step.includes("/") ? event.step : "prompt";
}
