import { useQuery } from "@tanstack/react-query";

import { letterQuery } from "../api/queries";
import { problemOf } from "../api/problem";
import { ProblemNote } from "../shell/ProblemNote";
import { formatTime } from "../shell/format";
import { hashOf } from "../shell/route";
import { LetterEditor } from "./LetterEditor";

/** One letter: why it is dead, what it says, and what can be done about it. */
export function LetterPanel({ letterId }: { letterId: string }) {
  const { data: letter, error, refetch } = useQuery(letterQuery(letterId));
  if (error) return <section className="card"><ProblemNote problem={problemOf(error)} onRetry={() => void refetch()} /></section>;
  if (!letter) return <section className="card"><p className="empty" aria-busy="true">Reading…</p></section>;
  return (
    <section className="card letter" aria-label={`Letter ${letterId}`}>
      <div className="card-head">
        <h2>{`Letter ${letter.letter_id}`}</h2>
        <span className="tag" data-state={letter.state}>{letter.state}</span>
        <a className="quiet" href={hashOf("dead")}>close</a>
      </div>
      <ProblemNote problem={letter.error} />
      <dl className="facts column">
        <div><dt>subject</dt><dd className="mono">{letter.subject}</dd></div>
        <div><dt>actor</dt><dd>{letter.actor}</dd></div>
        <div><dt>tries</dt><dd>{letter.num_delivered}</dd></div>
        <div><dt>buried</dt><dd>{formatTime(letter.buried_at)}</dd></div>
        {letter.run_id && <div><dt>run</dt><dd><a className="mono" href={hashOf("runs", letter.run_id)}>{letter.run_id.slice(0, 12)}…</a></dd></div>}
        {letter.replayed_as && <div><dt>replayed as</dt><dd><a className="mono" href={hashOf("runs", letter.replayed_as)}>{letter.replayed_as.slice(0, 12)}…</a></dd></div>}
        {letter.reason && <div><dt>dropped</dt><dd>{letter.reason}</dd></div>}
      </dl>
      <LetterEditor key={letter.payload} letter={letter} />
    </section>
  );
}
