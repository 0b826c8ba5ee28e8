import { useQuery } from "@tanstack/react-query";

import { answered, api } from "../api/client";
import { safeLink } from "../answer/safeLink";

/** A link to the trace in another tool, such as Jaeger, where the server knows of one. */
export function TraceLink({ runId }: { runId: string }) {
  const { data } = useQuery({
    queryKey: ["trace-url", runId],
    staleTime: Infinity,
    queryFn: ({ signal }) => answered(api.GET("/traces/{run_id}/flow", { params: { path: { run_id: runId } }, signal })),
  });
  const href = data?.trace_url ? safeLink(data.trace_url) : null;
  if (href === null) return null;
  return (
    <div>
      <dt>trace</dt>
      <dd><a href={href} target="_blank" rel="noopener noreferrer">{new URL(href).host}</a></dd>
    </div>
  );
}
