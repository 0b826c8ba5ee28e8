import { useMutation, useQueryClient } from "@tanstack/react-query";

import { answered, api } from "../api/client";

export type Order = "load" | "unload" | "pin" | "unpin";

/** Gives a host an order about one of its models. */
export function useOrder(host: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ order, model }: { order: Order; model: string }) =>
      answered(api.POST(`/cache/${order}`, { body: { model, host } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["hosts"] }),
  });
}
