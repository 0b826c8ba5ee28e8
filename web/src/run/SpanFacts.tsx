import { useQuery } from "@tanstack/react-query";

import { answered, api } from "../api/client";
import type { FlowStep } from "../flow/runFlow";
import { formatMs } from "../shell/format";

interface SpanFactsProps {
  runId: string;
  step: FlowStep;
  traceId: string | undefined;
}

/** What the run's trace tells of a step: when it was asked for, how long it waited, how often it was handed out. */
export function SpanFacts({ runId, step, traceId }: SpanFactsProps) {
  const { data: node } = useQuery({
    queryKey: ["span", runId, step.id, step.event?.sequence ?? step.state],
    queryFn: async ({ signal }) => {
      const view = await answered(api.GET("/orchestrator/runs/{run_id}", { params: { path: { run_id: runId } }, signal }));
      return view.flow.nodes?.find((one) => one.id === step.id) ?? null;
    },
  });
  const facts: [string, string][] = [];
  if (traceId) facts.push(["trace", traceId]);
  if (node) {
    const times = [
      ["asked for after", node.start_ms],
      ["waited", node.queue_ms],
      ["model loaded in", node.load_ms],
      ["until its event", node.total_ms],
    ] as const;
    for (const [name, ms] of times) if (typeof ms === "number") facts.push([name, formatMs(ms)]);
    if (node.host) facts.push(["host", node.host]);
    facts.push(["handed out", `${node.num_tries ?? 1} ×`]);
    if (node.error) facts.push(["error", node.error]);
  }
  if (facts.length === 0) return <p className="hint">Its run has no trace yet.</p>;
  return (
    <dl className="facts column">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className={name === "trace" ? "mono" : undefined}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
