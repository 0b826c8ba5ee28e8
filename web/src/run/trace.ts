import type { StepState } from "../flow/runFlow";
import type { WaterfallRow } from "./waterfallRows";

type Value = string | number | boolean | readonly string[];

/** One span of a run; times are milliseconds since the epoch, `endedMs` is null while it is open. */
export interface Span {
  id: string;
  parentId: string;
  name: string;
  service: string;
  host: string;
  beganMs: number;
  endedMs: number | null;
  error: string;
  attributes: Readonly<Record<string, Value>>;
}

interface OtlpValue {
  stringValue?: string;
  intValue?: string | number;
  doubleValue?: number;
  boolValue?: boolean;
  arrayValue?: { values?: OtlpValue[] };
}

interface OtlpSpan {
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano?: string;
  attributes?: { key: string; value: OtlpValue }[];
  status?: { message?: string };
}

interface OtlpDocument {
  resourceSpans?: {
    resource?: { attributes?: OtlpSpan["attributes"] };
    scopeSpans?: { spans?: OtlpSpan[] }[];
  }[];
}

/** The spans in OTLP's JSON, in the order of their beginnings. */
export function spansOf(document: unknown): Span[] {
  const groups = (document as OtlpDocument).resourceSpans ?? [];
  const spans = groups.flatMap((group) => {
    const resource = attributesOf(group.resource?.attributes);
    const records = (group.scopeSpans ?? []).flatMap((scope) => scope.spans ?? []);
    return records.map((record) => ({
      id: record.spanId,
      parentId: record.parentSpanId ?? "",
      name: record.name,
      service: String(resource["service.name"] ?? ""),
      host: String(resource["host.name"] ?? ""),
      beganMs: milliseconds(record.startTimeUnixNano),
      endedMs: record.endTimeUnixNano === undefined ? null : milliseconds(record.endTimeUnixNano),
      error: record.status?.message ?? "",
      attributes: attributesOf(record.attributes),
    }));
  });
  return spans.sort((one, other) => one.beganMs - other.beganMs);
}

/** The step a span belongs to: its own, or that of the nearest span above it that has one. */
export function stepOf(span: Span, byId: ReadonlyMap<string, Span>): string | null {
  for (let at: Span | undefined = span; at; at = byId.get(at.parentId)) {
    const step = at.attributes["promptbus.step"];
    if (typeof step === "string" && step !== "") return step;
  }
  return null;
}

/** The bars of a trace: each span followed by those below it. */
export function traceRows(spans: readonly Span[]): WaterfallRow[] {
  const byId = new Map(spans.map((span) => [span.id, span]));
  const below = new Map<string, Span[]>();
  for (const span of spans) {
    const parent = byId.has(span.parentId) ? span.parentId : "";
    const siblings = below.get(parent);
    if (siblings) siblings.push(span);
    else below.set(parent, [span]);
  }
  const rows: WaterfallRow[] = [];
  // A stack instead of calls: a trace may be deeper than the stack of the page.
  const open = (below.get("") ?? []).map((span) => ({ span, depth: 0 })).reverse();
  for (let next = open.pop(); next; next = open.pop()) {
    const { span, depth } = next;
    rows.push(rowOf(span, depth, stepOf(span, byId)));
    const inner = below.get(span.id) ?? [];
    for (const one of inner.toReversed()) open.push({ span: one, depth: depth + 1 });
  }
  return rows;
}

function rowOf(span: Span, depth: number, step: string | null): WaterfallRow {
  const role = span.attributes["promptbus.span"];
  return {
    id: span.id,
    step: step ?? (role === "run" ? "outcome" : "prompt"),
    label: labelOf(span, step),
    depth,
    state: stateOf(span),
    kind: role === "run" || role === "lead" ? "run" : role === "step" || role === "submit" ? "step" : "phase",
    beganMs: span.beganMs,
    endedMs: span.endedMs,
  };
}

/** In a word or two, where the bars above say the rest; the whole name is told by the step. */
function labelOf(span: Span, step: string | null): string {
  switch (span.attributes["promptbus.span"]) {
    case "submit":
      return "prompt";
    case "lead":
      return "coordinator";
    case "step":
      return (step ?? span.name).replace(/\/1$/, "").replace("/", " ");
    case "work":
      return "work";
    default:
      return span.name;
  }
}

function stateOf(span: Span): StepState {
  if (span.endedMs === null) return "active";
  return span.error ? "failed" : "done";
}

function milliseconds(nanoseconds: string): number {
  // Nanoseconds since the epoch are more than a number holds; a microsecond is exact enough.
  return Number(BigInt(nanoseconds) / 1000n) / 1000;
}

function attributesOf(listed: OtlpSpan["attributes"]): Record<string, Value> {
  return Object.fromEntries((listed ?? []).map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(value: OtlpValue): Value {
  if (value.arrayValue) return (value.arrayValue.values ?? []).map((one) => String(valueOf(one)));
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.doubleValue ?? value.boolValue ?? "";
}
