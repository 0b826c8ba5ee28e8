import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { memo } from "react";

import { formatMs } from "../shell/format";
import { StateMark } from "../shell/StateMark";
import type { FlowStep } from "./runFlow";

export type StepNodeType = Node<{ step: FlowStep }, "step">;

/** One step as a box: its actor, attempt, state, place and time. */
export const StepNode = memo(function StepNode({ data, selected }: NodeProps<StepNodeType>) {
  const { step } = data;
  const told = [step.place, step.detail].filter(Boolean).join(" — ");
  return (
    <div
      className="step"
      data-state={step.state}
      data-step={step.id}
      data-selected={selected}
      data-ended={step.event?.time}
      title={told}
    >
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <div className="step-head">
        <StateMark state={step.state} />
        <span className="step-name">{step.stage}</span>
        {step.attempt > 1 && <span className="step-attempt">attempt {step.attempt}</span>}
        <span className="step-time">{step.durationMs === null ? "" : formatMs(step.durationMs)}</span>
      </div>
      <div className="step-told">{told || "\u00a0"}</div>
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
});
