"""Makes the faults of a plan happen, and writes down when they did."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio

from promptbus.chaos.fleet import Fleet
from promptbus.chaos.plan import Action, Fault, Part


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that happened; times in seconds since the epoch."""

    action: Action
    part: Part
    target: str
    from_s: float
    to_s: float


class Injector:
    """Runs faults against a fleet."""

    def __init__(self, fleet: Fleet, faults: Sequence[Fault], tick: Callable[[], None]) -> None:
        self._fleet = fleet
        self._faults = faults
        self._tick = tick
        self.happened: list[Happened] = []

    async def run(self) -> None:
        """Make everything happen at its time; returns when nothing is frozen any more."""
        began_s = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for fault in self._faults:
                await anyio.sleep(max(0.0, began_s + fault.at_s - time.monotonic()))
                tasks.start_soon(self._inject, fault)

    async def _inject(self, fault: Fault) -> None:
        from_s = time.time()
        match fault.action:
            case Action.KILL:
                self._fleet.kill(fault.target)
            case Action.RESTART:
                self._fleet.send(fault.target, signal.SIGTERM)
            case Action.FREEZE:
                self._fleet.freeze(fault.target)
                try:
                    await anyio.sleep(fault.lasts_s)
                finally:
                    self._fleet.thaw(fault.target)
        self.happened.append(Happened(fault.action, fault.part, fault.target, from_s, time.time()))
        self._tick()
