import { useInfiniteQuery } from "@tanstack/react-query";

import { lettersQuery } from "../api/queries";
import { problemOf } from "../api/problem";
import { LetterPanel } from "../letters/LetterPanel";
import { LetterTable } from "../letters/LetterTable";
import { ProblemNote } from "../shell/ProblemNote";
import { go, hashOf, type Route } from "../shell/route";

const STATES = ["open", "replayed", "dropped"] as const;
type State = (typeof STATES)[number];

/** What nobody could handle: look, correct, send again, or drop. */
export function LettersScreen({ route }: { route: Route }) {
  const asked = route.query.get("state");
  const state = STATES.find((one) => one === asked) ?? null;
  const found = useInfiniteQuery(lettersQuery(state));
  const letters = found.data?.pages.flatMap((page) => page.letters) ?? [];
  const show = (wanted: string) => go(hashOf("dead", null, { state: wanted || null }), { replace: true });
  return (
    <div className="list-screen" data-split={route.id !== null}>
      <div className="list-head">
        <h1>Dead letters</h1>
        <label>
          <span className="visually-hidden">State</span>
          <select value={state ?? ""} onChange={(event) => show(event.target.value)}>
            <option value="">State: any</option>
            {STATES.map((one: State) => <option key={one} value={one}>{one}</option>)}
          </select>
        </label>
      </div>
      {found.error && !found.data && <ProblemNote problem={problemOf(found.error)} onRetry={() => void found.refetch()} />}
      {found.isPending && !found.error && <p className="empty" aria-busy="true">Reading…</p>}
      {found.data && letters.length === 0 && (
        <div className="empty"><p>{state ? `No letter is ${state}.` : "No dead letters. Everything that came could be handled."}</p></div>
      )}
      <div className="split">
        {letters.length > 0 && (
          <div>
            <LetterTable letters={letters} selected={route.id} state={state} />
            {found.hasNextPage && (
              <div className="row center">
                <button type="button" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>Show older letters</button>
              </div>
            )}
          </div>
        )}
        {route.id !== null && <LetterPanel key={route.id} letterId={route.id} />}
      </div>
    </div>
  );
}
