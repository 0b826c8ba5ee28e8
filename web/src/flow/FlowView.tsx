import "@xyflow/react/dist/base.css";

import { Controls, ReactFlow, useReactFlow, useStore, type Edge } from "@xyflow/react";
import { useEffect, useMemo, useRef } from "react";

import { NODE_HEIGHT, NODE_WIDTH, positions, sidesOf } from "./flowLayout";
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
  const places = useMemo(() => positions(flow.steps), [flow.steps]);
  const nodes = useNodes(flow.steps, places, selected);
  const edges = useMemo(() => flow.edges.map((edge) => drawnEdge(edge, places)), [flow.edges, places]);
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
      <Fitted width={Math.max(...[...places.values()].map((place) => place.x))} />
    </ReactFlow>
  );
}

/** Fits the view again when the picture has grown, and when its room has changed. */
function Fitted({ width }: { width: number }) {
  const { fitView } = useReactFlow();
  const room = useStore((state) => `${state.width}x${state.height}`);
  useEffect(() => {
    const frame = requestAnimationFrame(() => void fitView(FIT));
    return () => cancelAnimationFrame(frame);
  }, [fitView, width, room]);
  return null;
}

type Places = ReadonlyMap<string, { x: number; y: number }>;

const ORIGIN = { x: 0, y: 0 };

/** The boxes; those in which nothing changed stay the same objects, so that they are not drawn anew. */
function useNodes(steps: readonly FlowStep[], places: Places, selected: string | null): StepNodeType[] {
  const known = useRef(new Map<string, StepNodeType>());
  return useMemo(() => {
    const next = new Map<string, StepNodeType>();
    for (const step of steps) {
      const before = known.current.get(step.id);
      const node = drawnNode(step, places.get(step.id) ?? ORIGIN, step.id === selected);
      next.set(step.id, before !== undefined && isSame(before, node) ? before : node);
    }
    known.current = next;
    return [...next.values()];
  }, [steps, places, selected]);
}

function isSame(one: StepNodeType, other: StepNodeType): boolean {
  return (
    one.selected === other.selected &&
    one.position.x === other.position.x &&
    one.position.y === other.position.y &&
    isEqual(one.data.step, other.data.step)
  );
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

function drawnNode(step: FlowStep, position: { x: number; y: number }, isSelected: boolean): StepNodeType {
  return {
    id: step.id,
    type: "step",
    position,
    data: { step },
    selected: isSelected,
    width: NODE_WIDTH,
    height: NODE_HEIGHT,
    ariaLabel: `${step.stage}, attempt ${step.attempt}, ${step.state}`,
  };
}

function drawnEdge(edge: FlowEdge, places: Places): Edge {
  const sides = sidesOf(places.get(edge.source) ?? ORIGIN, places.get(edge.target) ?? ORIGIN);
  return {
    sourceHandle: sides.source,
    targetHandle: sides.target,
    id: edge.id,
    source: edge.source,
    target: edge.target,
    className: `edge-${edge.kind}`,
    animated: edge.kind === "active",
  };
}
