import { useMemo, useSyncExternalStore } from "react";

/** Where in the page one is: the path after `#`, split at slashes, and its query. */
export interface Route {
  screen: string;
  id: string | null;
  query: URLSearchParams;
}

/** The route that a hash such as `#/runs/0123?panel=events` names. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [screen = "", id] = path.split("/").map(decode);
  return { screen, id: id ? id : null, query: new URLSearchParams(query) };
}

export function hashOf(screen: string, id?: string | null, query?: Record<string, string | null>): string {
  const kept = Object.entries(query ?? {}).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const search = kept.length > 0 ? `?${new URLSearchParams(kept)}` : "";
  return `#/${screen}${id ? `/${encodeURIComponent(id)}` : ""}${search}`;
}

export function go(hash: string, options: { replace?: boolean } = {}): void {
  if (options.replace) {
    history.replaceState(null, "", hash);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else window.location.hash = hash;
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return useMemo(() => parseRoute(hash), [hash]);
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
