import { apiKey, askForKey } from "./apiKey";
import { createStore } from "../shell/store";
import { base } from "./client";
import type { LiveMessage } from "./types";

/** How often a socket was lost; whoever watches the server looks at once. */
export const numLost = createStore(0);

export type LiveStatus = "connecting" | "open" | "lost" | "ended";

export interface LiveListener {
  onMessage(message: LiveMessage): void;
  onStatus(status: LiveStatus): void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const UNAUTHORIZED = 4401;
const NORMAL = 1000;

/**
 * A socket on `path` that comes back by itself and goes on after the last message it got.
 *
 * It ends with a `done` or `error` message, or when `close` is called.
 */
export class LiveSocket {
  private socket: WebSocket | null = null;
  private cursor: string | null = null;
  private pauseMs = FIRST_PAUSE_MS;
  private timer = 0;
  private isOver = false;
  private readonly path: string;
  private readonly listener: LiveListener;

  constructor(path: string, listener: LiveListener) {
    this.path = path;
    this.listener = listener;
    window.addEventListener("online", this.hurry);
    this.connect();
  }

  close(): void {
    this.isOver = true;
    window.clearTimeout(this.timer);
    window.removeEventListener("online", this.hurry);
    this.socket?.close(NORMAL);
  }

  private readonly hurry = (): void => {
    if (this.isOver || this.socket !== null) return;
    window.clearTimeout(this.timer);
    this.connect();
  };

  private connect(): void {
    const url = new URL(`${base}${this.path}`);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (this.cursor !== null) url.searchParams.set("after", this.cursor);
    const { token } = apiKey.get();
    const socket = new WebSocket(url, token === null ? [] : ["promptbus", `bearer.${token}`]);
    this.socket = socket;
    socket.onopen = () => {
      this.pauseMs = FIRST_PAUSE_MS;
      this.listener.onStatus("open");
    };
    socket.onmessage = (frame) => this.hear(JSON.parse(frame.data as string) as LiveMessage);
    socket.onclose = (event) => this.lose(event.code);
  }

  private hear(message: LiveMessage): void {
    if (this.isOver) return;
    if ("cursor" in message) this.cursor = message.cursor;
    this.listener.onMessage(message);
    if (message.type === "done" || message.type === "error") {
      this.close();
      this.listener.onStatus("ended");
    }
  }

  private lose(code: number): void {
    this.socket = null;
    if (this.isOver) return;
    if (code === UNAUTHORIZED) askForKey();
    this.listener.onStatus("lost");
    numLost.set(numLost.get() + 1);
    this.timer = window.setTimeout(() => this.connect(), this.pauseMs * (0.75 + Math.random() / 2));
    this.pauseMs = Math.min(LONGEST_PAUSE_MS, this.pauseMs * 2);
  }
}
