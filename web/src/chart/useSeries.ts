/** Columns as uPlot takes them: times in seconds, then one column for each line. */
export type Series = readonly (readonly number[])[];

const MAX_POINTS = 300;
const kept = new Map<string, Series>();

/**
 * What `values` were since the page was opened, of the last minutes; kept while screens change.
 *
 * One point for each `readAtMs`, the time at which the server answered.
 */
export function useSeries(name: string, readAtMs: number, values: readonly number[]): Series {
  const before = kept.get(name) ?? [[], ...values.map(() => [])];
  const times = before[0] ?? [];
  const time = readAtMs / 1000;
  if (readAtMs === 0 || (times.at(-1) ?? 0) >= time) return before;
  const columns = [[...times, time], ...values.map((value, at) => [...(before[at + 1] ?? []), value])];
  const after = columns.map((column) => column.slice(-MAX_POINTS));
  kept.set(name, after);
  return after;
}
