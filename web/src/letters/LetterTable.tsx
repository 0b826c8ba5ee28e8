import type { LetterView } from "../api/types";
import { formatTime } from "../shell/format";
import { hashOf } from "../shell/route";

interface LetterTableProps {
  letters: readonly LetterView[];
  selected: string | null;
  state: string | null;
}

export function LetterTable({ letters, selected, state }: LetterTableProps) {
  return (
    <table className="rows">
      <thead><tr><th>State</th><th>What happened</th><th>Actor</th><th className="num">Tries</th><th className="num">When</th></tr></thead>
      <tbody>
        {letters.map((letter) => (
          <tr key={letter.letter_id} data-selected={String(letter.letter_id) === selected}>
            <td className="state-cell"><span className="tag" data-state={letter.state}>{letter.state}</span></td>
            <td className="main-cell">
              <a href={hashOf("dead", String(letter.letter_id), { state })} data-row-link>{letter.error.message}</a>
              <span className="hint cut">{letter.subject}</span>
            </td>
            <td data-label="actor">{letter.actor}</td>
            <td className="num" data-label="tries">{letter.num_delivered ?? 1}</td>
            <td className="num" data-label="when">{formatTime(letter.buried_at)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
