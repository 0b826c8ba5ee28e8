"""``promptbus actor <kind>…``: some kinds of actors against a given NATS server."""

from collections.abc import Sequence

import anyio

from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput
from promptbus.bootstrap import serve_actors
from promptbus.cli.client import wait_for_signal
from promptbus.cli.shell import err
from promptbus.process import ENDS, EVERYTHING, open_process
from promptbus.settings import Settings

# These follow journals; the others only need to know when a run has ended.
_READERS = {ActorKind.COORDINATOR, ActorKind.HISTORY, ActorKind.SUMMARIZER}


async def run_actor(
    settings: Settings, names: Sequence[str], *, first_writer_wins: bool = True
) -> int:
    """Serve until SIGTERM or SIGINT; then finish what is in hand and end.

    ``first_writer_wins`` is False in the control of the chaos suite alone.
    """
    kinds = tuple(dict.fromkeys(parse_kind(name) for name in names))
    role = "+".join(kinds)
    watched = EVERYTHING if _READERS.intersection(kinds) else ENDS
    async with (
        open_process(settings, role, watched, first_writer_wins=first_writer_wins) as process,
        anyio.create_task_group() as tasks,
    ):
        stop = anyio.Event()

        async def end_on_signal() -> None:
            await wait_for_signal()
            stop.set()

        tasks.start_soon(end_on_signal)
        await serve_actors(process, kinds, stop, lambda: _say_serving(kinds))
        tasks.cancel_scope.cancel()
    return 0


def _say_serving(kinds: Sequence[ActorKind]) -> None:
    for kind in kinds:
        err.print(f"{kind} is serving")


def parse_kind(name: str, *, without: frozenset[ActorKind] = frozenset()) -> ActorKind:
    """The actor kind called ``name``.

    Raises: InvalidInput naming the kinds there are.
    """
    kinds = [kind for kind in ActorKind if kind not in without]
    if name not in [str(kind) for kind in kinds]:
        raise InvalidInput(
            field="actor",
            reason=f"there is no {name[:40]!r}",
            cure=f"choose one of: {', '.join(kinds)}",
        )
    return ActorKind(name)
