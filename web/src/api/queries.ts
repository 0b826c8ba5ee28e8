import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { answered, api } from "./client";
import { Problem } from "./problem";
import type { RunState, TaskType } from "./types";

const PAGE_SIZE = 50;
const LIVE_MS = 1_000;
const SLOW_MS = 5_000;
const MAX_COUNTED = 99;
const SERVICE_UNAVAILABLE = 503;

export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => answered(api.GET("/models", { signal })),
  refetchInterval: SLOW_MS,
});

export const hostsQuery = queryOptions({
  queryKey: ["hosts"],
  queryFn: ({ signal }) => answered(api.GET("/system/hosts", { signal })),
  refetchInterval: LIVE_MS,
});

export const actorsQuery = queryOptions({
  queryKey: ["actors"],
  queryFn: ({ signal }) => answered(api.GET("/system/actors", { signal })),
  refetchInterval: SLOW_MS,
});

export const queuesQuery = queryOptions({
  queryKey: ["queues"],
  queryFn: ({ signal }) => answered(api.GET("/system/queues", { signal })),
  refetchInterval: LIVE_MS,
});

export const streamsQuery = queryOptions({
  queryKey: ["streams"],
  queryFn: ({ signal }) => answered(api.GET("/system/streams", { signal })),
  refetchInterval: SLOW_MS,
});

/** Health is an answer even where it is bad: 503 comes with what is missing. */
export const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: async ({ signal }) => {
    const { data, error, response } = await api.GET("/health", { signal });
    if (data) return data;
    if (response.status === SERVICE_UNAVAILABLE && error && "missing" in error) return error;
    throw Problem.from(response.status, error);
  },
  refetchInterval: (query) => (query.state.error ? LIVE_MS : SLOW_MS),
  retry: false,
});

export const letterCountQuery = queryOptions({
  queryKey: ["letters", "count"],
  queryFn: async ({ signal }) => {
    const query = { state: "open", limit: MAX_COUNTED } as const;
    const { letters } = await answered(api.GET("/dead", { params: { query }, signal }));
    return { num: letters.length, label: letters.length === MAX_COUNTED ? `${MAX_COUNTED}+` : `${letters.length}` };
  },
  refetchInterval: SLOW_MS,
});

export interface RunFilters {
  q: string | null;
  state: RunState | null;
  model: string | null;
  task_type: TaskType | null;
  session_id: string | null;
}

export function runsQuery(filters: RunFilters) {
  return infiniteQueryOptions({
    queryKey: ["runs", filters],
    queryFn: ({ signal, pageParam }) => {
      const query = { ...filters, limit: PAGE_SIZE, cursor: pageParam };
      return answered(api.GET("/orchestrator/runs", { params: { query: withoutNulls(query) }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.cursor ?? null,
  });
}

export function lettersQuery(state: "open" | "replayed" | "dropped" | null) {
  return infiniteQueryOptions({
    queryKey: ["letters", "list", state],
    queryFn: ({ signal, pageParam }) => {
      const query = withoutNulls({ state, before: pageParam, limit: PAGE_SIZE });
      return answered(api.GET("/dead", { params: { query }, signal }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.before ?? null,
    refetchInterval: SLOW_MS,
  });
}

export function letterQuery(letterId: string) {
  return queryOptions({
    queryKey: ["letters", "one", letterId],
    queryFn: ({ signal }) =>
      answered(api.GET("/dead/{letter_id}", { params: { path: { letter_id: letterId } }, signal })),
  });
}

type Kept<T> = { [K in keyof T]?: Exclude<T[K], null> };

function withoutNulls<T extends object>(query: T): Kept<T> {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== null && value !== "")) as Kept<T>;
}
