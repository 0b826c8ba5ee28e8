import { answered, api } from "../api/client";
import { LiveSocket, type LiveStatus } from "../api/liveSocket";
import type { LiveMessage } from "../api/types";
import { emptyRecord, withJournal, withMessages, type RunRecord } from "./runRecord";

export interface RunSnapshot {
  record: RunRecord;
  status: LiveStatus;
}

// The summary is written after the outcome, which is the last message of a socket.
const SUMMARY_PAUSES_MS = [40, 80, 200, 500, 1_500, 4_000];

/** Follows one run; what comes within one frame is told at once. */
export class RunFeed {
  private snapshot: RunSnapshot;
  private unread: LiveMessage[] = [];
  private isDue = false;
  private isClosed = false;
  private socket: LiveSocket | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(runId: string) {
    this.snapshot = { record: emptyRecord(runId), status: "connecting" };
  }

  readonly get = (): RunSnapshot => this.snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.open();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.close();
    };
  };

  private open(): void {
    this.isClosed = false;
    if (this.snapshot.status === "ended") return;
    this.socket = new LiveSocket(`/orchestrator/runs/${this.snapshot.record.runId}/ws`, {
      onMessage: (message) => this.collect(message),
      onStatus: (status) => {
        this.flush();
        this.change({ ...this.snapshot, status });
      },
    });
  }

  private close(): void {
    this.isClosed = true;
    this.socket?.close();
  }

  private collect(message: LiveMessage): void {
    this.unread.push(message);
    if (this.isDue) return;
    this.isDue = true;
    // A hidden page draws no frames, but shall be right when it is looked at.
    if (document.hidden) window.setTimeout(() => this.flush());
    else requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    this.isDue = false;
    const messages = this.unread;
    if (messages.length === 0) return;
    this.unread = [];
    this.change({ ...this.snapshot, record: withMessages(this.snapshot.record, messages) });
    if (messages.at(-1)?.type === "done") void this.awaitSummary();
  }

  private async awaitSummary(): Promise<void> {
    for (const pauseMs of SUMMARY_PAUSES_MS) {
      const { events } = this.snapshot.record;
      if (this.isClosed || events.some((event) => event.step.startsWith("summarizer/"))) return;
      const after = events.at(-1)?.sequence ?? 0;
      const params = { path: { run_id: this.snapshot.record.runId }, query: { after } };
      try {
        const page = await answered(api.GET("/orchestrator/runs/{run_id}/events", { params }));
        this.change({ ...this.snapshot, record: withJournal(this.snapshot.record, page.events) });
      } catch {
        // The title is a nicety; the list of runs will show it.
      }
      await new Promise((resolve) => window.setTimeout(resolve, pauseMs));
    }
  }

  private change(snapshot: RunSnapshot): void {
    this.snapshot = snapshot;
    for (const listener of this.listeners) listener();
  }
}
