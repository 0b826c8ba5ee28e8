import { useMemo, useSyncExternalStore } from "react";

import { RunFeed, type RunSnapshot } from "./runFeed";

/** The run as it is now, followed for as long as a component shows it. */
export function useRun(runId: string): RunSnapshot {
  const feed = useMemo(() => new RunFeed(runId), [runId]);
  return useSyncExternalStore(feed.subscribe, feed.get);
}
