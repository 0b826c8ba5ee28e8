import type { ErrorInfo } from "../api/types";

interface Told {
  code: string;
  message: string;
  cure?: string | null | undefined;
}

/** What went wrong, and what can be done about it. */
export function ProblemNote({ problem, onRetry }: { problem: Told | ErrorInfo; onRetry?: () => void }) {
  return (
    <div className="problem" role="alert">
      <p>{sentence(problem.message)}</p>
      {problem.cure && <p className="cure">{sentence(problem.cure)}</p>}
      <p className="code-name">
        <code>{problem.code}</code>
        {onRetry && <button type="button" className="quiet" onClick={onRetry}>try again</button>}
      </p>
    </div>
  );
}

/** With a capital, unless it begins with a name such as a subject. */
function sentence(text: string): string {
  return /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}
