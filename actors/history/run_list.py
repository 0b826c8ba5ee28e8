"""Statements that read runs, and rows made from what they find."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, false, func, or_, select

from actors.history.folding import fold
from actors.history.run_change import MAX_INTEGER, storable, storable_session
from actors.history.tables import runs
from contracts.call import MAX_RUNS_PER_PAGE
from contracts.errors import InvalidInput
from contracts.event import RunState
from contracts.prompt import TaskType
from contracts.run_row import RunRow

# A page of rows stays far below the 512 KiB that a message may have.
MAX_LIMIT: Final = MAX_RUNS_PER_PAGE
MAX_EXCERPT_CHARS: Final = 200
MAX_QUERY_CHARS: Final = 200

_WHOLE: Final = ("prompt", "output")
_PLAIN: Final = tuple(name for name in RunRow.model_fields if name not in _WHOLE)


def list_statement(
    *,
    state: RunState | None,
    model: str | None,
    task_type: TaskType | None,
    session_id: str | None,
    since: datetime | None,
    until: datetime | None,
    query: str | None,
    limit: int,
    cursor: str | None,
) -> Select[Any]:
    """Runs that match, newest first; one more than ``limit``, to know whether more follow.

    Raises: InvalidInput.
    """
    if not 1 <= limit <= MAX_LIMIT:
        reason = f"must be between 1 and {MAX_LIMIT}"
        raise InvalidInput(field="limit", reason=reason, limit=MAX_LIMIT)
    excerpts = (func.substr(runs.c[name], 1, MAX_EXCERPT_CHARS).label(name) for name in _WHOLE)
    plain = (runs.c[name] for name in _PLAIN)
    statement = select(*plain, *excerpts, runs.c.first_sequence)
    if state is not None:
        statement = statement.where(runs.c.state == state)
    if model is not None:
        statement = statement.where(runs.c.selected_model == storable(model))
    if task_type is not None:
        statement = statement.where(runs.c.task_type == task_type.value)
    if session_id is not None:
        statement = statement.where(in_session(session_id))
    if since is not None:
        statement = statement.where(runs.c.started_at >= _instant("since", since))
    if until is not None:
        statement = statement.where(runs.c.started_at < _instant("until", until))
    if cursor is not None:
        statement = statement.where(runs.c.first_sequence < _sequence(cursor))
    for word in _words(query):
        in_prompt = runs.c.folded_prompt.contains(word, autoescape=True)
        statement = statement.where(
            or_(in_prompt, runs.c.folded_title.contains(word, autoescape=True))
        )
    return statement.order_by(runs.c.first_sequence.desc()).limit(limit + 1)


def in_session(session_id: str) -> ColumnElement[bool]:
    """Whether a run is of that session; none is of one that no database can name.

    Comparing with None would mean ``IS NULL``: all runs that have no session.
    """
    stored = storable_session(session_id)
    return false() if stored is None else runs.c.session_id == stored


def whole_run(run_id: str) -> Select[Any]:
    """The run with whole texts."""
    columns = (runs.c[name] for name in (*_PLAIN, *_WHOLE))
    return select(*columns).where(runs.c.run_id == storable(run_id))


def next_cursor(found: Sequence[Row[Any]], limit: int) -> str | None:
    """Where the page after ``found`` begins, or None when there is none."""
    return str(found[limit - 1].first_sequence) if len(found) > limit else None


def row_of(row: Row[Any]) -> RunRow:
    """The row as the outside sees it."""
    return RunRow.model_validate(dict(row._mapping))


def _words(query: str | None) -> list[str]:
    if query is None:
        return []
    if len(query) > MAX_QUERY_CHARS:
        reason = f"is longer than {MAX_QUERY_CHARS} characters"
        raise InvalidInput(field="query", reason=reason, limit=MAX_QUERY_CHARS)
    return fold(storable(query)).split()


def _instant(field: str, time: datetime) -> datetime:
    """``time`` in UTC, which one without a zone is taken for."""
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field=field, reason="is out of range") from None


def _sequence(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) < len(str(MAX_INTEGER)):
        return int(cursor)
    raise InvalidInput(field="cursor", reason="is not one that a page gave")
