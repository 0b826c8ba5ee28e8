import { useQuery } from "@tanstack/react-query";

import { modelsQuery } from "../api/queries";
import type { CatalogueModel } from "../api/types";
import type { Draft } from "./draft";

interface FieldsProps {
  draft: Draft;
  change: (changes: Partial<Draft>) => void;
}

export function ModelFields({ draft, change }: FieldsProps) {
  const { data } = useQuery(modelsQuery);
  const models = data?.models ?? [];
  const chosen = models.find((model) => model.model === draft.model);
  const strategies = chosen?.strategies ?? [...new Set(models.flatMap((model) => model.strategies))];
  const isKnown = draft.model === "" || chosen !== undefined;
  return (
    <>
      <label>
        Model
        <select value={draft.model} onChange={(event) => change({ model: event.target.value, strategy: "" })}>
          <option value="">automatic</option>
          {!isKnown && <option value={draft.model}>{draft.model}</option>}
          {ranked(models).map((model) => (
            <option key={model.model} value={model.model} disabled={!model.available}>
              {`${model.model}${standing(model)}`}
            </option>
          ))}
        </select>
      </label>
      <label>
        Strategy
        <select value={draft.strategy} onChange={(event) => change({ strategy: event.target.value })}>
          <option value="">{chosen ? `default (${chosen.default_strategy})` : "default"}</option>
          {strategies.map((strategy) => <option key={strategy} value={strategy}>{strategy}</option>)}
        </select>
      </label>
      <label>
        Priority
        <select value={draft.priority} onChange={(event) => change({ priority: event.target.value as Draft["priority"] })}>
          <option value="interactive">interactive</option>
          <option value="normal">normal</option>
          <option value="batch">batch</option>
        </select>
      </label>
    </>
  );
}

/** Those that can answer now first. */
function ranked(models: readonly CatalogueModel[]): CatalogueModel[] {
  const place = (model: CatalogueModel) => (model.resident ? 0 : model.available ? 1 : 2);
  return [...models].sort((one, other) => place(one) - place(other));
}

function standing(model: CatalogueModel): string {
  if (!model.available) return " — not on disk";
  return model.resident ? "" : " — not loaded";
}
