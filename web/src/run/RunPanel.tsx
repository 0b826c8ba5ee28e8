import { useMemo } from "react";

import type { RunFlow } from "../flow/runFlow";
import { EventList } from "./EventList";
import type { RunRecord } from "./runRecord";
import { StepDetail } from "./StepDetail";
import { Waterfall } from "./Waterfall";
import { waterfallRows } from "./waterfallRows";

const PANELS = [
  ["waterfall", "Waterfall"],
  ["step", "Step"],
  ["events", "Events"],
] as const;

interface RunPanelProps {
  record: RunRecord;
  flow: RunFlow;
  panel: string;
  selected: string | null;
  onShow: (panel: string, step?: string | null) => void;
}

/** What is known of a run besides its picture: bars, one step, all events. */
export function RunPanel({ record, flow, panel, selected, onShow }: RunPanelProps) {
  const rows = useMemo(() => waterfallRows(flow), [flow]);
  const step = flow.steps.find((one) => one.id === selected) ?? null;
  return (
    <section className="panel" aria-label="Details">
      <div className="tabs" role="tablist" aria-label="Details">
        {PANELS.map(([name, label]) => (
          <button key={name} type="button" role="tab" id={`tab-${name}`} aria-selected={panel === name} aria-controls="panel" onClick={() => onShow(name)}>
            {label}
          </button>
        ))}
      </div>
      <div className="panel-body" role="tabpanel" id="panel" aria-labelledby={`tab-${panel}`}>
        {panel === "waterfall" && <Waterfall rows={rows} selected={selected} onSelect={(id) => onShow("step", id)} />}
        {panel === "step" && <StepDetail step={step} record={record} />}
        {panel === "events" && <EventList events={record.events} onSelect={(id) => onShow("step", id)} />}
      </div>
    </section>
  );
}
