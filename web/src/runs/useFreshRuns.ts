import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { LiveSocket } from "../api/liveSocket";
import { isOutcome } from "../run/eventData";

// However many runs begin and end, the list is read no oftener.
const PAUSE_MS = 1_000;

/** Keeps lists of runs fresh: what all runs do is heard, and the lists are read again. */
export function useFreshRuns(): void {
  const queries = useQueryClient();
  useEffect(() => {
    let timer = 0;
    const refresh = () => {
      if (timer !== 0) return;
      timer = window.setTimeout(() => {
        timer = 0;
        void queries.invalidateQueries({ queryKey: ["runs"] });
      }, PAUSE_MS);
    };
    const socket = new LiveSocket("/orchestrator/runs/ws", {
      onMessage(message) {
        if (message.type !== "events") return;
        const isNews = message.events.some(
          (event) => isOutcome(event) || event.event_type === "RunStarted" || event.event_type === "RunSummarized",
        );
        if (isNews) refresh();
      },
      onStatus(status) {
        // What happened between the list and the socket nobody would tell.
        if (status === "open") refresh();
      },
    });
    return () => {
      window.clearTimeout(timer);
      socket.close();
    };
  }, [queries]);
}
