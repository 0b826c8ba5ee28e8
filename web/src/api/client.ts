import createClient from "openapi-fetch";

import { apiKey, askForKey } from "./apiKey";
import { Problem, unreachable } from "./problem";
import type { paths } from "./schema";

const UNAUTHORIZED = 401;

/** The server this page came from, under whatever prefix it stands. */
export const base = new URL(".", document.baseURI).href.replace(/\/$/, "");

export const api = createClient<paths>({ baseUrl: base, fetch: send });

async function send(request: Request): Promise<Response> {
  const { token } = apiKey.get();
  if (token !== null) request.headers.set("Authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (fault) {
    if (request.signal.aborted) throw fault;
    throw unreachable();
  }
  if (response.status === UNAUTHORIZED) askForKey();
  return response;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What the server answered. Throws: Problem. */
export async function answered<T>(pending: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await pending;
  if (!response.ok || data === undefined) throw Problem.from(response.status, error);
  return data;
}
