"""What runs a loaded checkpoint: several generations at a time, off the event loop."""

from dataclasses import dataclass
from typing import Protocol

from contracts.generation import FinishReason
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.provider import OnText


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decoding gave; instants are ``time.perf_counter`` seconds.

    ``cancel_time_ms`` runs from the wish to stop to the moment the slot was free again.
    """

    output: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    started_at: float
    first_token_at: float | None
    ended_at: float
    cancel_time_ms: float | None = None


class Engine(Protocol):
    """A checkpoint in memory that generates."""

    @property
    def slots(self) -> int:
        """Generations it runs at a time; whoever calls keeps to that."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether it takes jobs; an engine that fell must be closed and loaded anew."""
        ...

    @property
    def size_bytes(self) -> int:
        """All the memory it holds: weights, KV cache and workspace, as measured."""
        ...

    @property
    def context_tokens(self) -> int | None:
        """Tokens of prompt and answer together; None where the checkpoint does not say."""
        ...

    @property
    def num_parameters(self) -> int:
        """Parameters of the checkpoint."""
        ...

    async def generate(
        self, job: GenerationJob, *, on_text: OnText | None, cancel: Cancellation
    ) -> Decoded:
        """Run ``job``; ``on_text`` is called on the event loop.

        Once ``cancel`` is set, or the awaiting task is cancelled, the slot is free within one
        token. Returns, or raises, only once it is.

        Raises: InvalidInput when the prompt leaves no room in the context; OutOfMemory;
        ProviderFailed when the engine itself fell, which then fails all its generations.
        """
        ...

    async def close(self) -> None:
        """End what runs and free the memory."""
        ...
