import type { HostReport } from "../api/types";
import { LineChart } from "../chart/LineChart";
import { useSeries } from "../chart/useSeries";
import { plural } from "../shell/format";
import { MemoryBar } from "./MemoryBar";
import { ModelTable } from "./ModelTable";

/** One machine: how busy it is, what of its memory models hold, and which models. */
export function HostCard({ host, readAtMs }: { host: HostReport; readAtMs: number }) {
  const cpu = useSeries(`cpu/${host.host}`, readAtMs, [host.cpu_percent ?? 0]);
  const numRunning = (host.models ?? []).reduce((sum, model) => sum + (model.num_running ?? 0), 0);
  const numWaiting = (host.models ?? []).reduce((sum, model) => sum + (model.num_waiting ?? 0), 0);
  return (
    <section className="card" aria-label={`Host ${host.host}`}>
      <div className="card-head">
        <h2>{host.host}</h2>
        <span className="hint">{`${plural(host.num_cpus, "core")} · ${numRunning} running · ${numWaiting} waiting`}</span>
      </div>
      <div className="host-gauges">
        <div className="memory">
          {(host.devices ?? []).map((device) => <MemoryBar key={device.name} device={device} models={host.models ?? []} isOnly={host.devices?.length === 1} />)}
        </div>
        <LineChart label={`CPU, ${Math.round(host.cpu_percent ?? 0)} %`} names={["CPU, %"]} series={cpu} top={100} />
      </div>
      <ModelTable host={host} />
    </section>
  );
}
