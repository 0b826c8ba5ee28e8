const MARKS: Record<string, { path: string; label: string }> = {
  queued: { path: "M8 4.5V8l2.4 1.6", label: "queued" },
  waiting: { path: "M8 4.5V8l2.4 1.6", label: "waiting" },
  running: { path: "", label: "running" },
  active: { path: "", label: "running" },
  answered: { path: "M4.6 8.3l2.3 2.3 4.5-5", label: "answered" },
  done: { path: "M4.6 8.3l2.3 2.3 4.5-5", label: "done" },
  failed: { path: "M5.3 5.3l5.4 5.4m0-5.4l-5.4 5.4", label: "failed" },
  cancelled: { path: "M5 8h6", label: "cancelled" },
  skipped: { path: "M5 8h6", label: "not needed" },
  idle: { path: "", label: "not begun" },
};

/** A state as a sign that needs no colour to be told from the others. */
export function StateMark({ state }: { state: string }) {
  const mark = MARKS[state] ?? { path: "", label: state };
  return (
    <svg className="mark" data-state={state} viewBox="0 0 16 16" role="img" aria-label={mark.label}>
      <circle cx="8" cy="8" r="6.25" />
      {mark.path && <path d={mark.path} />}
    </svg>
  );
}
