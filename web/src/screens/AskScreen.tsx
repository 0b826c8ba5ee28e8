import { useMemo, useState } from "react";

import { HomeColumn } from "../run/HomeColumn";
import { RunColumn } from "../run/RunColumn";
import { RunPanel, type Tab } from "../run/RunPanel";
import { useRun } from "../run/useRun";
import { FlowView } from "../flow/FlowView";
import { buildRunFlow } from "../flow/runFlow";
import { go, hashOf, type Route } from "../shell/route";

const EMPTY_FLOW = buildRunFlow(null);

/** A prompt, its answer, and how it came about: the way there as boxes and as bars. */
export function AskScreen({ runId, route }: { runId: string | null; route: Route }) {
  return runId === null ? <Home again={route.query.get("again")} /> : <Run key={runId} runId={runId} route={route} />;
}

function Home({ again }: { again: string | null }) {
  return (
    <div className="ask" data-view="home">
      <HomeColumn again={again} />
      <section className="flow-pane" aria-label="Flow">
        <FlowView flow={EMPTY_FLOW} selected={null} onSelect={() => undefined} />
      </section>
    </div>
  );
}

function Run({ runId, route }: { runId: string; route: Route }) {
  const { record, status } = useRun(runId);
  const flow = useMemo(() => buildRunFlow(record.error ? null : record), [record]);
  const [chosen, setChosen] = useState(route.query.get("step"));
  const tab: Tab = route.query.get("tab") === "events" ? "events" : "waterfall";
  // As long as nobody chose one, the generation is what people come to see.
  const selected = chosen ?? flow.steps.findLast((step) => step.stage === "executor" && step.beganMs !== null)?.id ?? null;
  const show = (step: string | null, wanted: Tab) => {
    setChosen(step);
    go(hashOf("runs", runId, { tab: wanted === "events" ? wanted : null, step }), { replace: true });
  };
  return (
    <div className="ask" data-view="run" data-live={status}>
      <RunColumn record={record} status={status} />
      <section className="flow-pane" aria-label="Flow">
        <FlowView flow={flow} selected={chosen} onSelect={(step) => show(step, tab)} />
      </section>
      <RunPanel
        record={record}
        flow={flow}
        tab={tab}
        selected={selected}
        onTab={(wanted) => show(chosen, wanted)}
        onSelect={(step) => show(step, tab)}
      />
    </div>
  );
}
