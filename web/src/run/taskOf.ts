import type { FlowStep, Stage } from "../flow/runFlow";
import { dataOf, type EventData } from "./eventData";
import type { RunRecord } from "./runRecord";

export interface Task {
  name: string;
  subject: string;
  fields: Record<string, unknown>;
}

const NAMES: Partial<Record<Stage, string>> = {
  analyzer: "AnalyzePrompt",
  history: "RecallHistory",
  monitor: "DecideResources",
  executor: "GenerateAnswer",
  validator: "ValidateOutput",
  summarizer: "SummarizeRun",
};

/**
 * What a step was asked, as far as the journal tells it.
 *
 * Tasks themselves are wake-ups that are gone once they are done; all that decided them is in the
 * events before.
 */
export function taskOf(step: FlowStep, record: RunRecord): Task | null {
  const name = NAMES[step.stage];
  const known = new Map(record.events.map((event) => [event.step, dataOf(event)]));
  const started = record.events.map(dataOf).find((data) => data.submitted);
  if (!name || !started) return null;
  const fields = withoutGaps(fieldsOf(step, started, known));
  const model = fields["model"];
  const subject = step.stage === "executor" ? `tasks.executor.${model ?? "?"}.${started.priority ?? "normal"}` : `tasks.${step.stage}`;
  return { name, subject, fields: { attempt: step.attempt, ...fields } };
}

function fieldsOf(step: FlowStep, started: EventData, known: ReadonlyMap<string, EventData>): Record<string, unknown> {
  const submitted = started.submitted ?? {};
  const prompt = submitted.prompt ?? submitted.messages?.at(-1)?.content;
  const analysis = known.get("analyzer/1");
  const decided = known.get(`monitor/${step.attempt}`) ?? known.get("monitor/1");
  switch (step.stage) {
    case "analyzer":
      return { prompt };
    case "history":
      return { session_id: submitted.session_id };
    case "monitor":
      return {
        task_type: analysis?.task_type, difficulty: analysis?.difficulty, num_tokens: analysis?.num_tokens,
        model: submitted.model, strategy: submitted.strategy, priority: started.priority,
      };
    case "executor": {
      const result = step.event ? dataOf(step.event).result : undefined;
      return {
        model: result?.fallback_from ?? result?.model ?? decided?.model ?? submitted.model,
        strategy: result?.strategy ?? decided?.strategy ?? submitted.strategy,
        host: decided?.host, prompt, max_tokens: submitted.max_tokens, temperature: submitted.temperature,
      };
    }
    case "validator": {
      const result = known.get(`executor/${step.attempt}`)?.result;
      return { prompt, output: result?.output, finish_reason: result?.finish_reason, task_type: analysis?.task_type };
    }
    default:
      return { prompt, output: known.get("outcome")?.result?.output };
  }
}

function withoutGaps(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}
