import { formatMs } from "../shell/format";
import { stepOf, traceRows, type Span } from "./trace";

interface SpanListProps {
  spans: readonly Span[];
  stepId: string;
}

/** The spans of one step: who did what, when, and for how long. */
export function SpanList({ spans, stepId }: SpanListProps) {
  const byId = new Map(spans.map((span) => [span.id, span]));
  const began = spans[0]?.beganMs ?? 0;
  const inOrder = traceRows(spans).flatMap((row) => byId.get(row.id) ?? []);
  const own = inOrder.filter((span) => spanStep(span, byId) === stepId);
  if (own.length === 0) return <p className="hint">None is told yet.</p>;
  return (
    <>
      <table className="events">
        <thead><tr><th>span</th><th>by</th><th className="num">after</th><th className="num">took</th></tr></thead>
        <tbody>
          {own.map((span) => (
            <tr key={span.id}>
              <td title={`span ${span.id}`}>{span.name}{span.error && <span className="hint"> {span.error}</span>}</td>
              <td className="hint">{[span.service.replace(/^promptbus-/, ""), span.host].filter(Boolean).join(" on ")}</td>
              <td className="num">{formatMs(span.beganMs - began)}</td>
              <td className="num">{span.endedMs === null ? "open" : formatMs(span.endedMs - span.beganMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="hint">{`Span ${own[0]?.id ?? ""}, ${handedOut(own)}`}</p>
    </>
  );
}

/** As the boxes are named: what belongs to no step is the prompt's or the outcome's. */
function spanStep(span: Span, byId: ReadonlyMap<string, Span>): string {
  const step = stepOf(span, byId);
  if (step !== null) return step;
  return span.attributes["promptbus.span"] === "run" ? "outcome" : "prompt";
}

function handedOut(spans: readonly Span[]): string {
  const tries = Math.max(1, ...spans.map((span) => Number(span.attributes["promptbus.num_delivered"] ?? 1)));
  return tries === 1 ? "handed out once" : `handed out ${tries} times`;
}
