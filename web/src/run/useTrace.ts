import { useQuery } from "@tanstack/react-query";

import { answered, api } from "../api/client";
import { spansOf, type Span } from "./trace";

const REFRESH_MS = 1_000;
// Spans are told a moment after what they tell of, and the summary's after the outcome.
const READS_AFTER_END = 3;
const NONE: readonly Span[] = [];

/** The spans of a run, read again for as long as more may come. */
export function useTrace(runId: string, isOver: boolean): { spans: readonly Span[]; isWhole: boolean } {
  const { data } = useQuery({
    queryKey: ["trace", runId, isOver],
    queryFn: async ({ signal }) =>
      spansOf(await answered(api.GET("/traces/{run_id}", { params: { path: { run_id: runId } }, signal }))),
    placeholderData: (before) => before,
    refetchInterval: (query) => (isOver && query.state.dataUpdateCount >= READS_AFTER_END ? false : REFRESH_MS),
  });
  const spans = data ?? NONE;
  const root = spans.find((span) => span.attributes["promptbus.span"] === "run");
  return { spans, isWhole: isOver && typeof root?.endedMs === "number" };
}
