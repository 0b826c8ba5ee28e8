/** Why a request was refused or could not be served, in the server's words (RFC 9457). */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly cure: string | null;
  readonly field: string | null;

  constructor(told: {
    code: string;
    message: string;
    status: number;
    cure?: string | null;
    field?: string | null;
  }) {
    super(told.message);
    this.code = told.code;
    this.status = told.status;
    this.cure = told.cure ?? null;
    this.field = told.field ?? null;
  }

  /** The problem that a response of `status` tells of in `body`. */
  static from(status: number, body: unknown): Problem {
    const told = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
    const text = (name: string) => (typeof told[name] === "string" ? (told[name] as string) : null);
    return new Problem({
      code: text("code") ?? `http_${status}`,
      message: text("detail") ?? text("title") ?? `the server answered ${status}`,
      status,
      cure: text("cure"),
      field: text("field"),
    });
  }
}

/** Nobody answered at all. */
export function unreachable(): Problem {
  return new Problem({
    code: "unreachable",
    message: "the server cannot be reached",
    status: 0,
    cure: "start it again with: promptbus up",
  });
}

export function problemOf(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  return new Problem({ code: "page", message: fault instanceof Error ? fault.message : String(fault), status: 0 });
}
