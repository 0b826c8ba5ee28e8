import type { Draft } from "./draft";

type NumberName = "max_tokens" | "temperature" | "seed" | "deadline_s" | "max_attempts";

interface NumberField {
  name: NumberName;
  label: string;
  hint: string;
  min: number;
  max: number;
  step: number | "any";
}

const FIELDS: readonly NumberField[] = [
  { name: "max_tokens", label: "Most tokens", hint: "the model's own", min: 1, max: 32_768, step: 1 },
  { name: "temperature", label: "Temperature", hint: "the model's own", min: 0, max: 2, step: "any" },
  { name: "seed", label: "Seed", hint: "random", min: 0, max: 4_294_967_295, step: 1 },
  { name: "deadline_s", label: "Deadline, seconds", hint: "900", min: 0.1, max: 86_400, step: "any" },
  { name: "max_attempts", label: "Most attempts", hint: "the server's own", min: 1, max: 10, step: 1 },
];

interface FieldsProps {
  draft: Draft;
  change: (changes: Partial<Draft>) => void;
}

export function LimitFields({ draft, change }: FieldsProps) {
  return (
    <div className="fields">
      {FIELDS.map((field) => (
        <label key={field.name}>
          {field.label}
          <input
            type="number"
            inputMode="decimal"
            min={field.min}
            max={field.max}
            step={field.step}
            placeholder={field.hint}
            value={draft[field.name]}
            onChange={(event) => change({ [field.name]: event.target.value })}
          />
        </label>
      ))}
      <label>
        Session
        <input
          type="text"
          maxLength={128}
          placeholder="none"
          value={draft.session_id}
          onChange={(event) => change({ session_id: event.target.value })}
        />
      </label>
      <label className="check">
        <input type="checkbox" checked={draft.local_only} onChange={(event) => change({ local_only: event.target.checked })} />
        Never leave our machines
      </label>
    </div>
  );
}
