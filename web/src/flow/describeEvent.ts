import type { RunEvent } from "../api/types";
import { dataOf } from "../run/eventData";

/** What an event found or did, in a few words. */
export function describeEvent(event: RunEvent): string {
  const data = dataOf(event);
  switch (event.event_type) {
    case "PromptAnalyzed":
      return `${data.task_type}, ${data.language}, ${count(data.num_tokens, "token")}`;
    case "HistoryRecalled":
      return data.turns?.length ? count(data.turns.length, "earlier turn") : "no earlier turns";
    case "ResourcesDecided":
      return data.strategy ?? "";
    case "AnswerGenerated":
      return `${count(data.result?.usage.completion_tokens, "token")}${ended(data.result?.finish_reason)}`;
    case "OutputValidated":
      return [`${data.score}/100`, data.verdict, ...(data.findings ?? []).map((one) => one.name)].join(", ");
    case "RunSummarized":
      return data.title ?? "";
    case "StepFailed":
    case "RunFailed":
      return data.error?.message ?? "";
    case "RunAnswered":
      return `answered, ${data.score}/100`;
    case "RunCancelled":
      return data.reason ? `cancelled: ${data.reason}` : "cancelled";
    case "RunStarted":
      return `${data.priority ?? "normal"} priority`;
    case "CancelRequested":
      return data.reason ?? "";
    default:
      return "";
  }
}

/** How a generation ended, where that is not the usual way. */
function ended(reason: string | undefined): string {
  return reason === undefined || reason === "stop" ? "" : `, ${reason}`;
}

function count(num: number | undefined, what: string): string {
  return `${num ?? 0} ${what}${num === 1 ? "" : "s"}`;
}
