"""Which runs a list shall have, as the query of a request says it."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Query

from contracts.call import MAX_RUNS_PER_PAGE, ListRuns
from contracts.event import RunState
from contracts.prompt import TaskType

MAX_QUERY_CHARS: Final = 200
DEFAULT_LIMIT: Final = 50

Name = Annotated[str | None, Query(min_length=1, max_length=200)]
Time = Annotated[datetime | None, Query(description="RFC 3339; without a zone it is taken for UTC")]


class RunFilters:
    """All of them may be left out; a run must fit all that are given."""

    def __init__(
        self,
        *,
        state: RunState | None = None,
        model: Name = None,
        task_type: TaskType | None = None,
        session_id: Name = None,
        since: Time = None,
        until: Time = None,
        query: Annotated[
            str | None,
            Query(
                alias="q",
                max_length=MAX_QUERY_CHARS,
                description="words in title or prompt, whatever their case and accents",
            ),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_RUNS_PER_PAGE)] = DEFAULT_LIMIT,
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
    ) -> None:
        self._call = ListRuns(
            state=state,
            model=model,
            task_type=task_type,
            session_id=session_id,
            since=since,
            until=until,
            query=query,
            limit=limit,
            cursor=cursor,
        )

    def call(self) -> ListRuns:
        """What to ask of a history."""
        return self._call
