import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";

import { answered, api } from "../api/client";
import type { PromptRequest, RunView } from "../api/types";

const KEY_BYTES = 16;

/** Submits a prompt; sending the same one again after a fault makes no second run. */
export function useSubmit(onAccepted: (run: RunView) => void) {
  const queries = useQueryClient();
  const sent = useRef({ body: "", key: "" });
  return useMutation({
    mutationFn: (request: PromptRequest) => {
      const body = JSON.stringify(request);
      if (sent.current.body !== body) sent.current = { body, key: newKey() };
      return answered(
        api.POST("/orchestrator/run", {
          body: request,
          params: { query: { wait_s: 0 }, header: { "Idempotency-Key": sent.current.key } },
        }),
      );
    },
    onSuccess: (run) => {
      sent.current = { body: "", key: "" };
      void queries.invalidateQueries({ queryKey: ["runs"] });
      onAccepted(run);
    },
  });
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
