import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback } from "react";

import { runsQuery, type RunFilters } from "../api/queries";
import { problemOf } from "../api/problem";
import { RunFilterFields } from "../runs/RunFilterFields";
import { RunTable } from "../runs/RunTable";
import { useFreshRuns } from "../runs/useFreshRuns";
import { ProblemNote } from "../shell/ProblemNote";
import { go, hashOf, type Route } from "../shell/route";

/** All runs, the newest first; its filters are in the address, so that a link finds the same. */
export function RunsScreen({ route }: { route: Route }) {
  const filters = filtersOf(route.query);
  const found = useInfiniteQuery(runsQuery(filters));
  useFreshRuns();
  const change = useCallback((changes: Partial<RunFilters>) => {
    go(hashOf("runs", null, { ...filtersOf(new URLSearchParams(window.location.hash.split("?")[1])), ...changes }), { replace: true });
  }, []);
  const runs = found.data?.pages.flatMap((page) => page.runs) ?? [];
  const isFiltered = Object.values(filters).some(Boolean);
  return (
    <div className="list-screen">
      <div className="list-head">
        <h1>Runs</h1>
        <RunFilterFields filters={filters} change={change} />
      </div>
      {found.error && <ProblemNote problem={problemOf(found.error)} onRetry={() => void found.refetch()} />}
      {runs.length > 0 && <RunTable runs={runs} />}
      {found.data && runs.length === 0 && (
        <div className="empty">
          {isFiltered ? (
            <p>No run fits. <a href="#/runs">Show all runs</a></p>
          ) : (
            <p>No prompt was asked yet. <a href="#/">Ask something</a>, or publish <code>{'{"prompt": "…"}'}</code> to <code>prompts.normal</code>.</p>
          )}
        </div>
      )}
      {found.isPending && !found.error && <p className="empty" aria-busy="true">Reading…</p>}
      {found.hasNextPage && (
        <div className="row center">
          <button type="button" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            {found.isFetchingNextPage ? "Reading…" : "Show older runs"}
          </button>
        </div>
      )}
    </div>
  );
}

function filtersOf(query: URLSearchParams): RunFilters {
  return {
    q: query.get("q"),
    state: query.get("state") as RunFilters["state"],
    model: query.get("model"),
    task_type: query.get("task_type") as RunFilters["task_type"],
    session_id: query.get("session_id"),
  };
}
