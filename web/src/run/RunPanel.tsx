import { useMemo } from "react";

import type { RunFlow } from "../flow/runFlow";
import { EventList } from "./EventList";
import type { RunRecord } from "./runRecord";
import { StepDetail } from "./StepDetail";
import { Waterfall } from "./Waterfall";
import { traceRows } from "./trace";
import { useTrace } from "./useTrace";
import { waterfallRows } from "./waterfallRows";

const TABS = [
  ["waterfall", "Waterfall"],
  ["events", "Events"],
] as const;

export type Tab = (typeof TABS)[number][0];

interface RunPanelProps {
  record: RunRecord;
  flow: RunFlow;
  tab: Tab;
  selected: string | null;
  onTab: (tab: Tab) => void;
  onSelect: (step: string) => void;
}

/** What is known of a run besides its picture: bars or all events, and one step closely. */
export function RunPanel({ record, flow, tab, selected, onTab, onSelect }: RunPanelProps) {
  const { spans, isWhole } = useTrace(record.runId, record.view !== null);
  // Events come at once and spans a moment later, so those are drawn while a run goes on.
  const rows = useMemo(() => (isWhole ? traceRows(spans) : waterfallRows(flow)), [flow, spans, isWhole]);
  const step = flow.steps.find((one) => one.id === selected) ?? null;
  return (
    <section className="panel" aria-label="Details">
      <div className="tabs" role="tablist" aria-label="Details">
        {TABS.map(([name, label]) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={tab === name}
            aria-controls="panel"
            onClick={() => onTab(name)}
          >
            {label}
          </button>
        ))}
      </div>
      <div className="panel-body" role="tabpanel" id="panel" aria-labelledby={`tab-${tab}`}>
        {tab === "waterfall" ? (
          <Waterfall rows={rows} selected={selected} onSelect={onSelect} />
        ) : (
          <EventList events={record.events} onSelect={onSelect} />
        )}
      </div>
      <StepDetail step={step} record={record} spans={spans} />
    </section>
  );
}
