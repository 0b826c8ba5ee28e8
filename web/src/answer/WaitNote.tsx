import type { WaitReport } from "../api/types";
import { formatMs } from "../shell/format";

/** Why a run waits, where it stands, and for how long. */
export function WaitNote({ report }: { report: WaitReport }) {
  const { progress, estimate_s: estimateS, position } = report;
  const told = [
    typeof position === "number" && position > 0 ? `${position} ahead` : null,
    typeof estimateS === "number" ? `about ${formatMs(estimateS * 1000)} more` : null,
    `${formatMs((report.waited_s ?? 0) * 1000)} so far`,
  ].filter(Boolean);
  return (
    <div className="wait" role="status">
      <p>{report.message}</p>
      {typeof progress === "number" && <progress value={progress} max={1} aria-label="load" />}
      <p className="hint">{told.join(" · ")}</p>
    </div>
  );
}
