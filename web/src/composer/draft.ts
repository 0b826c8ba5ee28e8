import type { PromptRequest, RunEvent } from "../api/types";
import { dataOf } from "../run/eventData";

/** A prompt as it is being written; numbers are what stands in their fields. */
export interface Draft {
  prompt: string;
  model: string;
  strategy: string;
  max_tokens: string;
  temperature: string;
  seed: string;
  deadline_s: string;
  max_attempts: string;
  session_id: string;
  priority: "interactive" | "normal" | "batch";
  local_only: boolean;
}

export const EMPTY_DRAFT: Draft = {
  prompt: "",
  model: "",
  strategy: "",
  max_tokens: "",
  temperature: "",
  seed: "",
  deadline_s: "",
  max_attempts: "",
  session_id: "",
  priority: "interactive",
  local_only: false,
};

const NUMBERS = ["max_tokens", "temperature", "seed", "deadline_s", "max_attempts"] as const;
const TEXTS = ["model", "strategy", "session_id"] as const;

/** What is sent: only what was filled in, so that the server's defaults hold for the rest. */
export function requestOf(draft: Draft): PromptRequest {
  const request: Record<string, unknown> = { prompt: draft.prompt, priority: draft.priority };
  for (const name of TEXTS) if (draft[name] !== "") request[name] = draft[name];
  for (const name of NUMBERS) if (draft[name].trim() !== "") request[name] = Number(draft[name]);
  if (draft.local_only) request["local_only"] = true;
  return request as unknown as PromptRequest;
}

/** The draft that asks again what `started` asked. */
export function draftAgain(started: RunEvent): Draft {
  const { submitted, priority } = dataOf(started);
  const wishes = (submitted ?? {}) as Record<string, unknown>;
  const draft = { ...EMPTY_DRAFT, prompt: submitted?.prompt ?? submitted?.messages?.at(-1)?.content ?? "" };
  for (const name of [...TEXTS, ...NUMBERS]) {
    const value = wishes[name];
    if (value !== undefined && value !== null) draft[name] = String(value);
  }
  draft.local_only = wishes["local_only"] === true;
  if (priority === "normal" || priority === "batch") draft.priority = priority;
  return draft;
}

/** How many of the limits that are folded away are set. */
export function numLimits(draft: Draft): number {
  const texts = [...NUMBERS.map((name) => draft[name]), draft.session_id];
  return texts.filter((text) => text.trim() !== "").length + Number(draft.local_only);
}
