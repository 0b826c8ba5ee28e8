import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import uPlot from "uplot";

import type { Series } from "./useSeries";

const HEIGHT = 96;
const MIN_TOP = 4;
const MIN_SPAN_S = 60;

interface LineChartProps {
  label: string;
  names: readonly string[];
  series: Series;
  top?: number;
}

/** Lines over the last minutes, in the page's colours. */
export function LineChart({ label, names, series, top }: LineChartProps) {
  const room = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const wanted = names.join("\n");
  useEffect(() => {
    const box = room.current;
    if (!box) return undefined;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(optionsFor(box, wanted.split("\n"), top), [[]], box);
    };
    draw();
    const observer = new ResizeObserver(() => chart.current?.setSize({ width: box.clientWidth, height: HEIGHT }));
    observer.observe(box);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    const themes = new MutationObserver(draw);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      observer.disconnect();
      themes.disconnect();
      dark.removeEventListener("change", draw);
      chart.current?.destroy();
      chart.current = null;
    };
  }, [wanted, top]);
  useEffect(() => {
    chart.current?.setData(series.map((column) => [...column]) as uPlot.AlignedData);
  });
  return (
    <figure className="chart">
      <figcaption>{label}</figcaption>
      <div ref={room} className="chart-room" aria-hidden="true" />
    </figure>
  );
}

function optionsFor(box: HTMLElement, names: readonly string[], top: number | undefined): uPlot.Options {
  const style = getComputedStyle(box);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const strokes = [colour("--accent"), colour("--muted")];
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width: Math.max(120, box.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_chart, least, most) => [most - Math.max(MIN_SPAN_S, most - least), most] },
      y: { range: (_chart, _least, most) => [0, top ?? Math.max(MIN_TOP, Math.ceil((most ?? 0) * 1.1))] },
    },
    axes: [
      { ...axis, size: 22, space: 90, values: (_chart, ticks) => ticks.map(clock) },
      { ...axis, size: 34, splits: (_chart, _at, least, most) => [least, most], values: (_chart, ticks) => ticks.map(String) },
    ],
    series: [{}, ...names.map((label, at) => ({ label, stroke: strokes[at % strokes.length] ?? "", width: 1.5, points: { show: false } }))],
  };
}

function clock(s: number): string {
  return new Date(s * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}
