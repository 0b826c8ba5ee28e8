"""What every contestant of the generation benchmark generates."""

import random
from dataclasses import dataclass

NUM_REQUESTS = 16


@dataclass(frozen=True, slots=True)
class Workload:
    """Concurrent requests: the prompt of each and how many tokens it gets."""

    name: str
    prompts: tuple[str, ...]
    max_tokens: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens of all answers."""
        return sum(self.max_tokens)


_PROMPTS = tuple(f"Tell me of journal number {number}" for number in range(NUM_REQUESTS))
_LENGTHS = random.Random(1)

EQUAL = Workload("16 of 64", _PROMPTS, (64,) * NUM_REQUESTS)
MIXED = Workload(
    "16 of 8..120", _PROMPTS, tuple(_LENGTHS.randint(8, 120) for _ in range(NUM_REQUESTS))
)
WARM_UP = Workload("16 of 4", _PROMPTS, (4,) * NUM_REQUESTS)
# By what a job's name ends with.
WORKLOADS = {"": EQUAL, "_mixed": MIXED, "_warm": WARM_UP}
