"""What a journal entry changes in the row of its run; pure.

A row is divided into groups of columns that are written together, and each group remembers the
sequence number of the event it came from. A newer event replaces the group, an older or equal one
changes nothing (a last-writer-wins register, Shapiro et al. 2011, "A comprehensive study of
convergent and commutative replicated data types"). Merging is therefore commutative, associative
and idempotent: entries may arrive in any order, twice, in any batches, from several processes,
and the rows come out the same.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from actors.history.folding import fold
from contracts.event import (
    AnswerGenerated,
    Event,
    Outcome,
    OutputValidated,
    PromptAnalyzed,
    RunAnswered,
    RunStarted,
    RunSummarized,
)
from contracts.journal_entry import JournalEntry

# Columns that are written together; each group has a column `<group>_sequence` besides.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "started": ("session_id", "prompt", "folded_prompt", "started_at"),
    "analyzed": ("task_type", "language"),
    "generated": ("selected_model",),
    "scored": ("score",),
    "counted": ("total_tokens",),
    "summarized": ("title", "summary", "folded_title"),
    "ended": ("state", "output", "ended_at"),
}
# BIGINT of both databases ends here.
MAX_INTEGER: Final = 2**63 - 1
# Neither database stores U+0000 (SQLite cuts there, PostgreSQL refuses) or half a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Change: TypeAlias = dict[str, Any]


def changes_of(entries: Iterable[JournalEntry]) -> list[Change]:
    """One complete row per run in ``entries``, ordered by run id.

    The order is the same for every writer, so that two of them never wait for each other's rows.
    """
    rows: dict[str, Change] = {}
    for entry in entries:
        row = rows.setdefault(entry.subject.run_id, _empty(entry))
        row["first_sequence"] = min(row["first_sequence"], entry.sequence)
        row["last_sequence"] = max(row["last_sequence"], entry.sequence)
        for group, values in _groups_of(entry):
            if entry.sequence > row[f"{group}_sequence"]:
                row[f"{group}_sequence"] = entry.sequence
                row.update(values)
    return [rows[run_id] for run_id in sorted(rows)]


def storable(text: str) -> str:
    """``text`` with U+FFFD for each character that no SQL text can hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def storable_session(session_id: str | None) -> str | None:
    """``session_id`` itself, or None where SQL text cannot hold it.

    Replacing characters in it could make two sessions one, and show a person another's turns.
    """
    if session_id is None or _UNSTORABLE.search(session_id):
        return None
    return session_id


def _empty(entry: JournalEntry) -> Change:
    row: Change = {column: None for columns in GROUPS.values() for column in columns}
    row |= {f"{group}_sequence": 0 for group in GROUPS}
    row |= {"run_id": entry.subject.run_id, "state": "running", "prompt": ""}
    return row | {"first_sequence": entry.sequence, "last_sequence": entry.sequence}


def _groups_of(entry: JournalEntry) -> list[tuple[str, Change]]:
    event = entry.event
    if isinstance(event, Outcome):
        return [("ended", _ended(entry, event)), *_answered(event)]
    match event:
        case RunStarted():
            return [("started", _started(entry, event))]
        case PromptAnalyzed():
            analyzed = {"task_type": event.task_type.value, "language": storable(event.language)}
            return [("analyzed", analyzed)]
        case AnswerGenerated():
            return _answered(event)
        case OutputValidated():
            return [("scored", {"score": event.score})]
        case RunSummarized():
            return _summarized(event)
        case _:
            return []


def _started(entry: JournalEntry, event: RunStarted) -> Change:
    prompt = storable(event.submitted.text)
    return {
        "session_id": storable_session(event.submitted.session_id),
        "prompt": prompt,
        "folded_prompt": fold(prompt),
        "started_at": entry.stored_at,
    }


def _ended(entry: JournalEntry, event: Outcome) -> Change:
    output = storable(event.output) if isinstance(event, RunAnswered) else None
    return {"state": event.state, "output": output, "ended_at": entry.stored_at}


def _answered(event: Event) -> list[tuple[str, Change]]:
    if not isinstance(event, AnswerGenerated | RunAnswered):
        return []
    groups: list[tuple[str, Change]] = [
        ("generated", {"selected_model": storable(event.result.model)}),
        ("counted", {"total_tokens": _bounded(event.result.usage.total_tokens)}),
    ]
    if isinstance(event, RunAnswered):
        groups.append(("scored", {"score": _bounded(event.score)}))
    return groups


def _summarized(event: RunSummarized) -> list[tuple[str, Change]]:
    title = storable(event.title)
    texts = {"title": title, "summary": storable(event.summary), "folded_title": fold(title)}
    groups: list[tuple[str, Change]] = [("summarized", texts)]
    if event.total_tokens:
        groups.append(("counted", {"total_tokens": _bounded(event.total_tokens)}))
    return groups


def _bounded(value: int) -> int:
    return max(-MAX_INTEGER, min(MAX_INTEGER, value))
