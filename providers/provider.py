"""What the gateway expects of everything that generates text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from contracts.generation import FinishReason, LoadProgress, Source
from contracts.waiting import WaitNote
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

OnText = Callable[[str], None]
OnProgress = Callable[[LoadProgress], None]
OnWait = Callable[[WaitNote], None]


@dataclass(frozen=True, slots=True)
class Generated:
    """What a provider made of a job; instants are ``time.perf_counter`` seconds."""

    output: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    cache_hit: bool
    load_time_ms: float
    queue_time_ms: float
    started_at: float
    first_token_at: float | None
    ended_at: float
    cancel_time_ms: float | None = None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is resident, or on its way: ``loading`` is the fraction read, else None.

    ``size_bytes`` is all the memory it holds: weights, KV cache and workspace.
    """

    model: str
    strategy: str
    size_bytes: int | None = None
    context_tokens: int | None = None
    num_parameters: int | None = None
    loading: float | None = None
    pinned: bool = False
    slots: int = 1
    num_running: int = 0
    num_waiting: int = 0
    generation_s: float | None = None
    source: Source = "local"
    load_time_ms: float = 0.0


class Provider(Protocol):
    """Generates text for the entries of the registry whose ``provider`` is its name."""

    @property
    def name(self) -> str:
        """The word that registry entries use."""
        ...

    @property
    def source(self) -> Source:
        """Where the text is made."""
        ...

    @property
    def available(self) -> bool:
        """Whether this process has what the provider needs."""
        ...

    def holds(self, entry: ModelEntry) -> bool:
        """Whether the model could be used right now, without a download."""
        ...

    @property
    def loads_models(self) -> bool:
        """Whether a model must be made resident here before it generates."""
        ...

    async def generate(
        self,
        job: GenerationJob,
        *,
        on_text: OnText | None,
        on_wait: OnWait | None,
        cancel: Cancellation,
    ) -> Generated:
        """Run ``job``, loading its model if need be.

        ``on_text`` is called on the event loop with each piece of text; the pieces joined are the
        output. ``on_wait`` is called there about once a second while the job waits. Once ``cancel``
        is set, or the awaiting task is cancelled, decoding stops within one token; in the first
        case what there is so far is returned as ``cancelled``.
        """
        ...

    def loaded(self) -> tuple[LoadedModel, ...]:
        """What is resident or loading now."""
        ...

    async def load(
        self, entry: ModelEntry, strategy: Strategy, on_progress: OnProgress | None
    ) -> LoadedModel:
        """Make the model resident; ``on_progress`` is called on the event loop."""
        ...

    async def unload(self, model: str) -> bool:
        """Free the model once nothing uses it; False when it was not resident."""
        ...

    async def close(self) -> None:
        """Free everything; the provider takes no job afterwards."""
        ...
