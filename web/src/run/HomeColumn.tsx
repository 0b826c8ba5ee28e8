import { useInfiniteQuery, useQuery } from "@tanstack/react-query";

import { answered, api } from "../api/client";
import { runsQuery } from "../api/queries";
import { Composer } from "../composer/Composer";
import { draftAgain } from "../composer/draft";
import { StateMark } from "../shell/StateMark";
import { formatTime } from "../shell/format";
import { hashOf } from "../shell/route";

const NUM_RECENT = 8;
const ALL = { q: null, state: null, model: null, task_type: null, session_id: null };

/** Where a new prompt is written, above the latest runs. */
export function HomeColumn({ again }: { again: string | null }) {
  const started = useQuery({
    queryKey: ["started", again],
    enabled: again !== null,
    queryFn: async ({ signal }) => {
      const params = { path: { run_id: again ?? "" } };
      const { events } = await answered(api.GET("/orchestrator/runs/{run_id}/events", { params, signal }));
      return events.find((event) => event.event_type === "RunStarted") ?? null;
    },
  });
  const draft = started.data ? draftAgain(started.data) : null;
  return (
    <section className="ask-column" aria-label="Ask">
      <h1>{again ? "Ask again" : "Ask"}</h1>
      <Composer key={draft ? "again" : "new"} initial={draft} />
      <RecentRuns />
    </section>
  );
}

function RecentRuns() {
  const { data } = useInfiniteQuery(runsQuery(ALL));
  const runs = data?.pages[0]?.runs.slice(0, NUM_RECENT) ?? [];
  if (data && runs.length === 0) {
    return (
      <p className="hint">
        Nothing was asked yet. Write a prompt above: its answer appears here as it is generated, and every step it
        takes appears beside it. From a terminal: <code>promptbus ask "12 + 7?"</code>
      </p>
    );
  }
  return (
    <div className="recent">
      <h2>Recent runs</h2>
      <ul>
        {runs.map((run) => (
          <li key={run.run_id}>
            <a href={hashOf("runs", run.run_id)} data-row-link>
              <StateMark state={run.state} />
              <span className="cut">{run.title || run.prompt}</span>
              <span className="when">{run.started_at ? formatTime(run.started_at) : ""}</span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}
