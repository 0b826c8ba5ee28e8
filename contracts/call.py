"""Calls: questions and orders to actors that are answered at once, and of which nothing is kept."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from contracts.event import RunState
from contracts.message import Message
from contracts.prompt import ModelKey, StrategyKey, TaskType
from contracts.run_row import RunRow

MAX_RUNS_PER_PAGE = 200

DeviceName = Annotated[str, Field(min_length=1, max_length=40)]
# What 64 bits hold; more memory than that nobody has.
SizeBytes = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Call(Message):
    """What every call is: it may be made again, and does no more then than once."""


class ListRuns(Call):
    """A page of runs, newest first; asked of any history.

    ``query`` is looked for in title and beginning of the prompt, whatever its case and accents;
    ``since`` is included, ``until`` is not. ``cursor`` is the one that the page before gave.
    """

    state: RunState | None = None
    model: ModelKey | None = None
    task_type: TaskType | None = None
    session_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    query: str | None = None
    limit: int = Field(default=50, ge=1, le=MAX_RUNS_PER_PAGE)
    cursor: str | None = None


class RunPage(Message):
    """The answer to :class:`ListRuns`; ``cursor`` asks for the next page where there is one."""

    runs: tuple[RunRow, ...] = ()
    cursor: str | None = None


class DescribeHost(Call):
    """What the machine holds now; asked of one executor, as all that follow.

    Each of them is answered with the executor's HostReport as it is afterwards.
    """


class LoadModel(Call):
    """Make a model resident and serve it from now on."""

    model: ModelKey
    strategy: StrategyKey | None = None


class UnloadModel(Call):
    """Free a model once nothing uses it, pinned or not; it is loaded again when it is asked for."""

    model: ModelKey


class PinModel(Call):
    """Whether a model, once resident, is never evicted."""

    model: ModelKey
    pinned: bool = True


class EvictModels(Call):
    """Free every model that is not pinned, once nothing uses it."""


class SetBudgets(Call):
    """Bytes that models may use of the devices named; what no longer fits leaves once it is idle.

    It holds until the executor is started again.
    """

    budgets: dict[DeviceName, SizeBytes] = Field(min_length=1, max_length=64)


CALLS: tuple[type[Message], ...] = (
    ListRuns,
    RunPage,
    DescribeHost,
    LoadModel,
    UnloadModel,
    PinModel,
    EvictModels,
    SetBudgets,
)
