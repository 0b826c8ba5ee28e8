import { useMutation, useQueryClient } from "@tanstack/react-query";

import { answered, api } from "../api/client";

export type Wish = { kind: "edit"; payload: string } | { kind: "replay" } | { kind: "drop"; reason: string };

/** Corrects a letter, sends it again, or drops it. */
export function useSettle(letterId: string) {
  const queries = useQueryClient();
  const params = { path: { letter_id: letterId } };
  return useMutation({
    mutationFn: (wish: Wish) => {
      switch (wish.kind) {
        case "edit":
          return answered(api.PUT("/dead/{letter_id}/payload", { params, body: { payload: wish.payload } }));
        case "replay":
          return answered(api.POST("/dead/{letter_id}/replay", { params }));
        case "drop":
          return answered(api.POST("/dead/{letter_id}/drop", { params, body: { reason: wish.reason } }));
      }
    },
    onSuccess: (letter) => queries.setQueryData(["letters", "one", letterId], letter),
    onSettled: () => queries.invalidateQueries({ queryKey: ["letters"] }),
  });
}
