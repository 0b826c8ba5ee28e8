import { problemOf } from "../api/problem";
import type { HostReport, ModelReport } from "../api/types";
import { ProblemNote } from "../shell/ProblemNote";
import { formatBytes, formatMs } from "../shell/format";
import { useOrder, type Order } from "./useOrder";

/** The models of a host, those in memory first, and what can be done with each. */
export function ModelTable({ host }: { host: HostReport }) {
  const order = useOrder(host.host);
  const models = [...(host.models ?? [])].sort((one, other) => placeOf(one) - placeOf(other));
  const pending = order.isPending ? order.variables : null;
  return (
    <>
      {order.error && <ProblemNote problem={problemOf(order.error)} />}
      <table className="rows models">
        <thead>
          <tr>
            <th>Model</th><th>In memory</th><th className="num">Size</th><th className="num">Context</th>
            <th className="num">Running</th><th className="num">Waiting</th><th className="num">Answer takes</th>
            <th><span className="visually-hidden">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <tr key={model.model} data-resident={model.resident}>
              <td className="main-cell"><span className="model-name">{model.model}</span> <span className="hint">{model.provider}</span></td>
              <td data-label="in memory"><Residence model={model} isAsked={pending?.model === model.model && pending.order === "load"} /></td>
              <td className="num" data-label="size" data-dash={!model.size_bytes}>{model.size_bytes ? formatBytes(model.size_bytes) : "–"}</td>
              <td className="num" data-label="context" data-dash={!model.context_tokens}>{model.context_tokens ?? "–"}</td>
              <td className="num" data-label="running" data-dash={!model.resident}>{model.resident ? `${model.num_running ?? 0} of ${model.slots ?? 1}` : "–"}</td>
              <td className="num" data-label="waiting" data-dash={!model.num_waiting}>{model.num_waiting || "–"}</td>
              <td className="num" data-label="answer takes" data-dash={typeof model.generation_s !== "number"}>{typeof model.generation_s === "number" ? formatMs(model.generation_s * 1000) : "–"}</td>
              <td className="action-cell">
                {ordersFor(model).map((name) => (
                  <button key={name} type="button" className="quiet" disabled={order.isPending} onClick={() => order.mutate({ order: name, model: model.model })}>
                    {name}
                  </button>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Residence({ model, isAsked }: { model: ModelReport; isAsked: boolean }) {
  if (typeof model.loading === "number") {
    return (
      <span className="loading">
        <progress value={model.loading} max={1} aria-label={`${model.model} loading`} /> {`${Math.round(model.loading * 100)} %`}
      </span>
    );
  }
  if (isAsked) return <span>asked for…</span>;
  if (model.resident) return <span>{`${model.resident_strategy ?? "needs no loading"}${model.pinned ? ", pinned" : ""}`}</span>;
  return <span className="hint">{model.available ? "no" : "not on disk"}</span>;
}

function placeOf(model: ModelReport): number {
  if (typeof model.loading === "number") return 0;
  if (model.resident) return model.resident_strategy === null ? 2 : 1;
  return model.available ? 3 : 4;
}

function ordersFor(model: ModelReport): Order[] {
  const needsMemory = model.source === "local" && !(model.resident && !model.resident_strategy);
  if (!needsMemory || !model.available || typeof model.loading === "number") return [];
  if (!model.resident) return ["load"];
  return [model.pinned ? "unpin" : "pin", "unload"];
}
