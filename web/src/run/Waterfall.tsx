import { useEffect, useMemo, useRef, useState } from "react";

import { formatMs } from "../shell/format";
import type { WaterfallRow } from "./waterfallRows";

const ROW_HEIGHT = 24;
// Rows beyond the visible ones, so that a quick scroll shows no gap.
const SPARE_ROWS = 12;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

interface WaterfallProps {
  rows: readonly WaterfallRow[];
  selected: string | null;
  onSelect: (step: string) => void;
}

/** Bars over a common time; only the rows in view are drawn. */
export function Waterfall({ rows, selected, onSelect }: WaterfallProps) {
  const room = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 400 });
  const nowMs = useNow(rows.some((row) => row.endedMs === null));
  const beganMs = useMemo(() => rows.reduce((least, row) => Math.min(least, row.beganMs), Infinity), [rows]);
  const endedMs = useMemo(
    () => rows.reduce((most, row) => Math.max(most, row.endedMs ?? nowMs), beganMs + 1),
    [rows, nowMs, beganMs],
  );
  useEffect(() => {
    const box = room.current;
    if (!box) return undefined;
    const look = () => setView({ top: box.scrollTop, height: box.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(box);
    box.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      box.removeEventListener("scroll", look);
    };
  }, []);
  if (rows.length === 0) return <p className="empty">Bars appear here as soon as the first step has begun.</p>;
  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - SPARE_ROWS);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_HEIGHT) + SPARE_ROWS);
  const spanMs = endedMs - beganMs;
  return (
    <div className="waterfall">
      <div className="waterfall-scale" aria-hidden="true">
        {TICKS.map((tick) => (
          <span key={tick} style={{ left: `${tick * 100}%` }}>{tick === 0 ? "0" : formatMs(tick * spanMs)}</span>
        ))}
      </div>
      <div className="waterfall-rows" ref={room} tabIndex={0} role="region" aria-label="Waterfall of the run">
        <div style={{ height: rows.length * ROW_HEIGHT }} className="waterfall-all">
          {rows.slice(first, last).map((row, index) => {
            const end = row.endedMs ?? nowMs;
            const left = ((row.beganMs - beganMs) / spanMs) * 100;
            const width = (Math.max(0, end - row.beganMs) / spanMs) * 100;
            const top = (first + index) * ROW_HEIGHT;
            return (
              <button
                type="button"
                key={row.id}
                className="waterfall-row"
                data-kind={row.kind}
                data-state={row.state}
                data-selected={row.step === selected}
                style={{ transform: `translateY(${top}px)` }}
                onClick={() => row.step && onSelect(row.step)}
              >
                <span className="waterfall-label" title={row.label} style={{ paddingLeft: row.depth * 8 }}>{row.label}</span>
                <span className="waterfall-lane">
                  <span
                    className="waterfall-bar"
                    data-kind={row.kind}
                    data-phase={row.kind === "phase" ? row.label : undefined}
                    style={{ left: `${left}%`, width: `max(2px, ${width}%)` }}
                  />
                </span>
                <span className="waterfall-time">{formatMs(Math.max(0, end - row.beganMs))}</span>
              </button>
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** The time now, ten times a second for as long as something goes on. */
function useNow(isGoingOn: boolean): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    if (!isGoingOn) return undefined;
    const timer = window.setInterval(() => setNowMs(Date.now()), 100);
    return () => window.clearInterval(timer);
  }, [isGoingOn]);
  return nowMs;
}
