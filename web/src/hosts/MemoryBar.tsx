import type { DeviceReport, ModelReport } from "../api/types";
import { formatBytes } from "../shell/format";

interface MemoryBarProps {
  device: DeviceReport;
  models: readonly ModelReport[];
  isOnly: boolean;
}

/** The memory of one device: what busy models hold, what could be freed, what is free. */
export function MemoryBar({ device, models, isOnly }: MemoryBarProps) {
  const total = Math.max(1, device.total_bytes);
  const used = Math.max(0, device.total_bytes - device.free_bytes);
  const evictable = Math.min(used, device.evictable_bytes ?? 0);
  const held = used - evictable;
  const share = (bytes: number) => `${(bytes / total) * 100}%`;
  // Which device a model is on is told by none; with one device there is no question.
  const resident = isOnly ? models.filter((model) => model.resident && (model.size_bytes ?? 0) > 0) : [];
  return (
    <div className="memory-device">
      <div className="memory-label">
        <span>{device.name}{device.kind !== device.name ? ` (${device.kind})` : ""}</span>
        <span className="num">{`${formatBytes(used)} of ${formatBytes(device.total_bytes)}`}</span>
      </div>
      <div className="memory-bar" role="img" aria-label={`${formatBytes(held)} held, ${formatBytes(evictable)} may be freed, ${formatBytes(device.free_bytes)} free`}>
        <span data-part="held" style={{ width: share(held) }} />
        <span data-part="evictable" style={{ width: share(evictable) }} />
      </div>
      <div className="hint">
        {`${formatBytes(device.free_bytes)} free`}
        {evictable > 0 && `, ${formatBytes(evictable)} may be freed`}
        {resident.length > 0 && ` · ${resident.map((model) => `${model.model} ${formatBytes(model.size_bytes ?? 0)}`).join(", ")}`}
      </div>
    </div>
  );
}
