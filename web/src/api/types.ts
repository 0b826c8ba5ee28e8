import type { components } from "./schema";

type Schemas = components["schemas"];

export type RunView = Schemas["RunView"];
export type RunRow = Schemas["RunRow"];
export type RunEvent = Schemas["RunEvent"];
export type WaitReport = Schemas["WaitReport"];
export type ErrorInfo = Schemas["ErrorInfo"];
export type HostReport = Schemas["HostReport"];
export type ModelReport = Schemas["ModelReport"];
export type DeviceReport = Schemas["DeviceReport"];
export type CatalogueModel = Schemas["CatalogueModel"];
export type QueueReport = Schemas["QueueReport"];
export type StreamReport = Schemas["StreamReport"];
export type LetterView = Schemas["LetterView"];
export type PromptRequest = Schemas["PromptRequest"];
export type RunState = RunView["state"];
export type TaskType = Schemas["TaskType"];

/** What the server says over a socket that follows runs; sockets are not in the OpenAPI document. */
export type LiveMessage =
  | ({ type: "event"; cursor: string } & RunEvent)
  | { type: "token"; cursor: string; attempt: number; offset: number; text: string }
  | ({ type: "waiting" } & WaitReport)
  | { type: "done"; cursor: string; run: RunView }
  | { type: "events"; cursor: string; events: RunEvent[] }
  | { type: "error"; error: ErrorInfo };
