import { useMutation, useQueryClient } from "@tanstack/react-query";

import { answered, api } from "../api/client";

/** Asks for the end of a run. */
export function useCancel() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (runId: string) =>
      answered(api.POST("/orchestrator/runs/{run_id}/cancel", { params: { path: { run_id: runId } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["runs"] }),
  });
}
