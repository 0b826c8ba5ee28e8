import type { FlowStep } from "../flow/runFlow";
import { JsonView } from "../shell/JsonView";
import { StateMark } from "../shell/StateMark";
import { formatMs, formatTime } from "../shell/format";
import { dataOf, phasesOf } from "./eventData";
import type { RunRecord } from "./runRecord";
import { SpanList } from "./SpanList";
import { taskOf } from "./taskOf";
import type { Span } from "./trace";

interface StepDetailProps {
  step: FlowStep | null;
  record: RunRecord;
  spans: readonly Span[];
}

/** One step: what it was asked, what it made of that, and how long which part took. */
export function StepDetail({ step, record, spans }: StepDetailProps) {
  if (step === null) return <p className="empty step-none">Choose a box of the flow, or a bar, to see its task, event, span and timing.</p>;
  const task = step.beganMs === null ? null : taskOf(step, record);
  const started = record.events.find((event) => event.event_type === "RunStarted");
  const traceId = started && dataOf(started).trace_id;
  const result = step.event ? dataOf(step.event).result : undefined;
  return (
    <div className="step-detail scroll" tabIndex={0} role="region" aria-label={`Step ${step.id}`}>
      <h2><StateMark state={step.state} /> {step.id}</h2>
      {step.detail && <p>{step.detail}</p>}
      {step.place && <p className="hint">{step.place}</p>}
      <h3>Timing</h3>
      {step.beganMs === null && <p className="hint">It has not begun.</p>}
      {step.beganMs !== null && (
        <dl className="facts column">
          <div><dt>began</dt><dd>{formatTime(new Date(step.beganMs).toISOString())}</dd></div>
          {step.durationMs !== null && <div><dt>worked</dt><dd>{formatMs(step.durationMs)}</dd></div>}
          {result && step.stage === "executor" && phasesOf(result).map((phase) => (
            <div key={phase.name}><dt>{phase.name}</dt><dd>{formatMs(phase.ms)}</dd></div>
          ))}
          {result && step.stage === "executor" && result.usage.completion_tokens > 0 && (
            <div><dt>speed</dt><dd>{speed(result.usage.completion_tokens, result.inference_time_ms)}</dd></div>
          )}
        </dl>
      )}
      <h3>Spans</h3>
      {traceId && <p className="hint">Trace <code>{traceId}</code></p>}
      <SpanList spans={spans} stepId={step.id} />
      <h3>Task</h3>
      {task ? <><p className="hint"><code>{task.name}</code> on <code>{task.subject}</code></p><JsonView value={task.fields} /></> : <p className="hint">None.</p>}
      <h3>Event</h3>
      {step.event ? (
        <>
          <p className="hint"><code>{step.event.event_type}</code>, sequence {step.event.sequence}, stored {formatTime(step.event.time)}</p>
          <JsonView value={step.event.data} />
        </>
      ) : <p className="hint">None is stored yet.</p>}
    </div>
  );
}

function speed(numTokens: number, ms: number): string {
  return ms > 0 ? `${((numTokens / ms) * 1000).toFixed(1)} tokens/s` : "";
}
