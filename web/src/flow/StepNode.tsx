import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { memo } from "react";

import { formatMs } from "../shell/format";
import { StateMark } from "../shell/StateMark";
import type { FlowStep, Stage } from "./runFlow";

/** What a stage is for, told as long as it has nothing else to tell. */
const PURPOSE: Record<Stage, string> = {
  prompt: "waits for a coordinator",
  analyzer: "what kind of prompt it is",
  history: "earlier turns of the session",
  monitor: "which model, and where",
  executor: "generates the answer",
  validator: "whether it is good enough",
  outcome: "the one final event",
  summarizer: "title and totals",
};

export type StepNodeType = Node<{ step: FlowStep }, "step">;

/** One step as a box: its actor, attempt, state, place and time. */
export const StepNode = memo(function StepNode({ data, selected }: NodeProps<StepNodeType>) {
  const { step } = data;
  const told = [step.place, step.detail].filter(Boolean).join(" · ") || PURPOSE[step.stage];
  return (
    <div
      className="step"
      data-state={step.state}
      data-step={step.id}
      data-selected={selected}
      data-ended={step.event?.time}
      title={told}
    >
      <Handle type="target" id="top" position={Position.Top} isConnectable={false} />
      <Handle type="target" id="left" position={Position.Left} isConnectable={false} />
      <div className="step-head">
        <StateMark state={step.state} />
        <span className="step-name">{step.stage}</span>
        {step.attempt > 1 && <span className="step-attempt">try {step.attempt}</span>}
        <span className="step-time">{step.durationMs === null ? "" : formatMs(step.durationMs)}</span>
      </div>
      <div className="step-told">{told}</div>
      <Handle type="source" id="bottom" position={Position.Bottom} isConnectable={false} />
      <Handle type="source" id="right" position={Position.Right} isConnectable={false} />
    </div>
  );
});
