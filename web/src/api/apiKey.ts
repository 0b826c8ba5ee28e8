import { createStore } from "../shell/store";

const SLOT = "promptbus.key";

/** The key that requests are sent with, and whether the server has asked for another. */
export const apiKey = createStore<{ token: string | null; isWanted: boolean; wasRefused: boolean }>({
  token: sessionStorage.getItem(SLOT),
  isWanted: false,
  wasRefused: false,
});

/** Use `token` from now on, until the tab is closed. */
export function replaceKey(token: string): void {
  sessionStorage.setItem(SLOT, token);
  apiKey.set({ token, isWanted: false, wasRefused: false });
}

/** The server refused the request for want of a good key. */
export function askForKey(): void {
  const { token } = apiKey.get();
  apiKey.set({ token, isWanted: true, wasRefused: token !== null });
}
