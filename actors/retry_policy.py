"""What is tried again, how often and after which pause: all of it, as data.

An error says of itself whether another try may succeed (``retryable``) and whether it is worth
waiting for (``patient``). A policy says how often an actor does so. The pause doubles from
``base_s`` to ``max_s``, of which a random half spreads those that failed together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bus.pull_worker import backoff_s
from contracts.actor_kind import ActorKind
from contracts.errors import PromptbusError

# What is worth waiting for may come at any moment, and then the person should not wait on.
PATIENT_PAUSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``num_tries`` at a step before it has failed, the first one counted.

    ``num_deaths`` processes may end while they work on one message: then it is poison. From
    ``alone_from`` deaths on it is worked on while no other suspect is, so that it takes no
    innocent ones with it; ``never`` are codes that are not tried again whatever the error says.
    """

    num_tries: int = 4
    base_s: float = 0.5
    max_s: float = 30.0
    num_deaths: int = 3
    alone_from: int = 2
    never: frozenset[str] = frozenset()

    def pause_s(self, error: PromptbusError, num_faults: int) -> float | None:
        """How long to wait before the next try, after ``num_faults`` faults before this one.

        None where there is none: the fault is for good, or the tries are spent.
        """
        if error.code in self.never:
            return None
        if error.patient:
            return backoff_s(num_faults + 1, base_s=self.base_s, max_s=PATIENT_PAUSE_S)
        if error.retryable and num_faults + 1 < self.num_tries:
            return backoff_s(num_faults + 1, base_s=self.base_s, max_s=self.max_s)
        return None


# A run can do without its session's turns and without a title: those are not waited for long.
POLICIES: Final[Mapping[ActorKind, RetryPolicy]] = {
    ActorKind.ANALYZER: RetryPolicy(max_s=10.0),
    ActorKind.HISTORY: RetryPolicy(num_tries=3, base_s=0.2, max_s=2.0),
    ActorKind.MONITOR: RetryPolicy(max_s=10.0),
    ActorKind.EXECUTOR: RetryPolicy(),
    ActorKind.VALIDATOR: RetryPolicy(max_s=10.0),
    ActorKind.SUMMARIZER: RetryPolicy(num_tries=2, max_s=5.0),
    # A lease that ends without outcome and without being handed over has cost a coordinator.
    ActorKind.COORDINATOR: RetryPolicy(num_deaths=8, alone_from=4),
}
# Generations of one run, unless its prompt says otherwise: another after one that failed or that
# the validator sends back.
GENERATIONS: Final = RetryPolicy(num_tries=3, base_s=0.2, max_s=10.0)
