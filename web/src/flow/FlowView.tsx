import "@xyflow/react/dist/base.css";

import { Controls, ReactFlow, useReactFlow, type Edge } from "@xyflow/react";
import { useEffect, useMemo, useRef } from "react";

import { NODE_HEIGHT, NODE_WIDTH, positionOf } from "./flowLayout";
import type { FlowEdge, FlowStep, RunFlow } from "./runFlow";
import { StepNode, type StepNodeType } from "./StepNode";

const NODE_TYPES = { step: StepNode };
const FIT = { padding: 0.06, maxZoom: 1, minZoom: 0.45 };

interface FlowViewProps {
  flow: RunFlow;
  selected: string | null;
  onSelect: (id: string) => void;
}

/** The flow of a run; boxes keep their place, and only what changed is drawn anew. */
export function FlowView({ flow, selected, onSelect }: FlowViewProps) {
  const nodes = useNodes(flow.steps, selected);
  const edges = useMemo(() => flow.edges.map(drawnEdge), [flow.edges]);
  return (
    <ReactFlow
      className="flow"
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      onNodeClick={(_, node) => onSelect(node.id)}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
      elementsSelectable
      onNodesChange={(changes) => {
        for (const change of changes) if (change.type === "select" && change.selected) onSelect(change.id);
      }}
      fitView
      fitViewOptions={FIT}
      minZoom={0.2}
      maxZoom={1.5}
      zoomOnScroll={false}
      preventScrolling={false}
      onlyRenderVisibleElements={nodes.length > 60}
      aria-label="Flow of the run"
    >
      <Controls showInteractive={false} position="bottom-right" fitViewOptions={FIT} />
      <Fitted width={Math.max(...nodes.map((node) => node.position.x))} />
    </ReactFlow>
  );
}

/** Fits the view again when the picture has grown, and when its room has changed. */
function Fitted({ width }: { width: number }) {
  const { fitView } = useReactFlow();
  const anchor = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const frame = requestAnimationFrame(() => void fitView(FIT));
    return () => cancelAnimationFrame(frame);
  }, [fitView, width]);
  useEffect(() => {
    const room = anchor.current?.closest(".react-flow");
    if (!room) return undefined;
    const observer = new ResizeObserver(() => void fitView(FIT));
    observer.observe(room);
    return () => observer.disconnect();
  }, [fitView]);
  return <span ref={anchor} hidden />;
}

function useNodes(steps: readonly FlowStep[], selected: string | null): StepNodeType[] {
  const known = useRef(new Map<string, StepNodeType>());
  return useMemo(() => {
    const next = new Map<string, StepNodeType>();
    for (const step of steps) {
      const before = known.current.get(step.id);
      const isSelected = step.id === selected;
      const isSame = before !== undefined && before.selected === isSelected && isEqual(before.data.step, step);
      next.set(step.id, isSame ? before : drawnNode(step, isSelected));
    }
    known.current = next;
    return [...next.values()];
  }, [steps, selected]);
}

function isEqual(one: FlowStep, other: FlowStep): boolean {
  return (
    one.state === other.state &&
    one.detail === other.detail &&
    one.place === other.place &&
    one.durationMs === other.durationMs &&
    one.event === other.event
  );
}

function drawnNode(step: FlowStep, isSelected: boolean): StepNodeType {
  return {
    id: step.id,
    type: "step",
    position: positionOf(step),
    data: { step },
    selected: isSelected,
    width: NODE_WIDTH,
    height: NODE_HEIGHT,
    ariaLabel: `${step.stage}, attempt ${step.attempt}, ${step.state}`,
  };
}

function drawnEdge(edge: FlowEdge): Edge {
  return {
    id: edge.id,
    source: edge.source,
    target: edge.target,
    className: `edge-${edge.kind}`,
    animated: edge.kind === "active",
  };
}
