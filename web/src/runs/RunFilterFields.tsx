import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { modelsQuery, type RunFilters } from "../api/queries";

const STATES = ["running", "answered", "failed", "cancelled"] as const;
const TASK_TYPES = ["chat", "question", "code", "math", "summarize", "translate", "write", "extract"] as const;
// Typing is not a question; a pause in it is.
const PAUSE_MS = 250;

interface FieldsProps {
  filters: RunFilters;
  change: (changes: Partial<RunFilters>) => void;
}

export function RunFilterFields({ filters, change }: FieldsProps) {
  const models = useQuery(modelsQuery).data?.models ?? [];
  return (
    <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <SearchField value={filters.q ?? ""} onChange={(q) => change({ q })} />
      <Choice label="State" value={filters.state} options={STATES} onChange={(state) => change({ state })} />
      <Choice label="Model" value={filters.model} options={models.map((one) => one.model)} onChange={(model) => change({ model })} />
      <Choice label="Task" value={filters.task_type} options={TASK_TYPES} onChange={(task_type) => change({ task_type })} />
      {filters.session_id && (
        <button type="button" className="quiet" onClick={() => change({ session_id: null })}>{`session ${filters.session_id} ×`}</button>
      )}
    </form>
  );
}

function SearchField({ value, onChange }: { value: string; onChange: (value: string | null) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = window.setTimeout(() => onChange(text === "" ? null : text), PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <label className="search">
      <span className="visually-hidden">Search</span>
      <input type="search" placeholder="Search title or prompt" maxLength={200} data-shortcut="search" value={text} onChange={(event) => setText(event.target.value)} />
    </label>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T | null;
  options: readonly T[];
  onChange: (value: T | null) => void;
}

function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <label>
      <span className="visually-hidden">{label}</span>
      <select value={value ?? ""} data-set={value !== null} onChange={(event) => onChange((event.target.value || null) as T | null)}>
        <option value="">{`${label}: any`}</option>
        {options.map((option) => <option key={option} value={option}>{option}</option>)}
      </select>
    </label>
  );
}
