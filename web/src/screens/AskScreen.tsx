import { useMemo, useState } from "react";

import { HomeColumn } from "../run/HomeColumn";
import { RunColumn } from "../run/RunColumn";
import { RunPanel } from "../run/RunPanel";
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
  const flow = useMemo(() => buildRunFlow(record), [record]);
  const [selected, setSelected] = useState(route.query.get("step"));
  const panel = route.query.get("panel") ?? (selected ? "step" : "waterfall");
  const show = (name: string, step: string | null = selected) => {
    setSelected(step);
    go(hashOf("runs", runId, { panel: name, step }), { replace: true });
  };
  return (
    <div className="ask" data-view="run" data-live={status}>
      <RunColumn record={record} status={status} />
      <section className="flow-pane" aria-label="Flow">
        <FlowView flow={flow} selected={selected} onSelect={(step) => show("step", step)} />
      </section>
      <RunPanel record={record} flow={flow} panel={panel} selected={selected} onShow={show} />
    </div>
  );
}
