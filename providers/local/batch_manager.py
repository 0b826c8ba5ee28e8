"""transformers' continuous batching behind four calls; all that is known of its API is here."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel
from transformers.generation.configuration_utils import ContinuousBatchingConfig
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessorList,
)
from transformers.generation.continuous_batching.continuous_api import (
    BackgroundThreadStatus,
    ContinuousBatchingManager,
    OutputRouter,
)
from transformers.generation.continuous_batching.scheduler import SCHEDULER_MAPPING, FIFOScheduler
from transformers.generation.logits_process import LogitsProcessorList
from transformers.utils.import_utils import is_flash_attn_2_available

from providers.local.batch_sizes import BatchSizes
from providers.local.sampling import TokenChooser, mark_choices
from providers.local.untouched_zeros import UntouchedZeros

_SCHEDULER = "promptbus-fifo"
_STOP_TIMEOUT_S = 30.0
# The manager logs to stderr by a handler of its own; what it reports reaches callers as errors.
logging.getLogger("ContinuousBatchingLogger").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class RequestNews:
    """What became of a request in one step.

    ``tokens`` are all it has generated so far. ``ended``: the manager has dropped it, and its slot
    is free. ``error`` says why it failed, if it did.
    """

    request_id: str
    tokens: Sequence[int] = ()
    ended: bool = False
    error: str | None = None


OnNews = Callable[[Sequence[RequestNews]], None]


class BatchManager:
    """One loaded model that decodes many requests together; they join and leave between tokens.

    ``on_news`` is called on the manager's thread, once a step, and ``on_fallen`` once if that
    thread ends by itself; :attr:`fatal_error` then says why. Every other method may be called from
    any thread.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        sizes: BatchSizes,
        on_news: OnNews,
        on_fallen: Callable[[], None],
    ) -> None:
        self._choosers: dict[str, TokenChooser] = {}
        # By the requests that want long prompts read in small pieces, and how small.
        self._prefill_tokens: dict[str, int] = {}
        self._manager = _Manager(
            model,
            sizes,
            self._choosers,
            prefill_tokens=self._prefill_tokens,
            on_news=on_news,
            on_fallen=on_fallen,
        )
        # The manager seeds the process's generators, which are not its own.
        with torch.random.fork_rng():
            self._manager.warmup()
        self._manager.start()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs and takes requests."""
        status = self._manager.background_thread_status
        # It turns its back on new requests before it fails those it has.
        return self._manager.is_running() and status.can_accept_new_requests() is None

    @property
    def fatal_error(self) -> Exception | None:
        """What ended its thread."""
        error: Exception | None = self._manager.background_thread_status.fatal_error
        return error

    @property
    def cache_bytes(self) -> int:
        """The KV cache and the buffers that grow with it."""
        return self._manager.cache_bytes()

    def add(
        self,
        request_id: str,
        token_ids: Sequence[int],
        *,
        max_tokens: int,
        eos_ids: frozenset[int],
        chooser: TokenChooser,
        prefill_tokens: int | None = None,
    ) -> bool:
        """Queue a request; False when the manager takes none any more.

        While it is there no step reads more than ``prefill_tokens`` of prompts.
        """
        self._choosers[request_id] = chooser
        if prefill_tokens is not None:
            self._prefill_tokens[request_id] = prefill_tokens
        added = self._manager.add_request(
            list(token_ids),
            request_id=request_id,
            max_new_tokens=max_tokens,
            streaming=True,
            eos_token_id=sorted(eos_ids) or -1,
        )
        if added is None:
            self.forget(request_id)
        return added is not None

    def cancel(self, request_id: str) -> None:
        """Drop the request before the next step; news of that follow."""
        self._manager.cancel_request(request_id)

    def forget(self, request_id: str) -> None:
        """Let go of what was kept for a request that has ended."""
        self._choosers.pop(request_id, None)
        self._prefill_tokens.pop(request_id, None)

    def stop(self) -> None:
        """End the thread and free the cache; blocks for a step."""
        self._manager.end()


class _Choices(ContinuousBatchingLogitsProcessorList):
    """Chooses each row's token by its request's own parameters.

    The manager takes the largest score of each row, so that rows which want just that are left
    alone, and a step with no others does not come here at all (``do_processing``).
    """

    def __init__(self, choosers: Mapping[str, TokenChooser]) -> None:
        super().__init__(LogitsProcessorList())
        self._choosers = choosers
        self._rows: list[tuple[int, TokenChooser, Sequence[int]]] = []

    def prepare_tensor_args(
        self, requests_in_batch: list[Any], arg_storage: torch.Tensor
    ) -> torch.Tensor:
        """Note which rows of the coming step have parameters of their own."""
        states = [request.state for request in requests_in_batch if request.has_new_token]
        chosen = ((row, self._choosers.get(one.request_id)) for row, one in enumerate(states))
        self._rows = [
            (row, chooser, (*states[row].initial_tokens, *states[row].generated_tokens))
            for row, chooser in chosen
            if chooser is not None and not chooser.is_plain
        ]
        self.do_processing = bool(self._rows)
        return arg_storage

    def __call__(
        self,
        input_ids: torch.LongTensor,
        scores: torch.Tensor,
        logits_processor_args: torch.Tensor,
    ) -> torch.Tensor:
        """``scores`` [rows, vocabulary] → the same, each row's choice its largest."""
        mark_choices(scores, self._rows)
        return scores


class _Router(OutputRouter):
    """Hands on all outputs of a step at once."""

    def __init__(self, on_news: OnNews) -> None:
        super().__init__()
        self._on_news = on_news

    def deliver(self, output: Any) -> None:
        self.deliver_batch([output])

    def deliver_batch(self, outputs: list[Any]) -> None:
        self._on_news(
            [
                RequestNews(one.request_id, one.generated_tokens, one.is_finished(), one.error)
                for one in outputs
            ]
        )


class _Scheduler(FIFOScheduler):
    """Tells which requests it has dropped, and keeps to the smallest piece of prompt wished for."""

    on_news: OnNews
    prefill_tokens: Mapping[str, int]

    def schedule_batch(self, token_budget: int, cache_budget: int) -> Any:
        wished = tuple(self.prefill_tokens.values())
        if wished:
            token_budget = min(token_budget, len(self.active_requests) + min(wished))
        return super().schedule_batch(token_budget, cache_budget)

    def clear_cancelled_requests(self) -> list[Any]:
        dropped: list[Any] = super().clear_cancelled_requests()
        if dropped:
            self.on_news([RequestNews(state.request_id, ended=True) for state in dropped])
        return dropped


SCHEDULER_MAPPING[_SCHEDULER] = _Scheduler


class _Manager(ContinuousBatchingManager):
    def __init__(
        self,
        model: PreTrainedModel,
        sizes: BatchSizes,
        choosers: Mapping[str, TokenChooser],
        *,
        prefill_tokens: Mapping[str, int],
        on_news: OnNews,
        on_fallen: Callable[[], None],
    ) -> None:
        generation = GenerationConfig(do_sample=False)  # type: ignore[no-untyped-call]
        generation.eos_token_id = -1
        super().__init__(model, generation, _config(sizes))  # type: ignore[arg-type]
        self.logit_processor = _Choices(choosers)
        self.output_router = _Router(on_news)
        self._prefill_tokens = prefill_tokens
        self._on_news = on_news
        self._on_fallen = on_fallen
        self._is_ending = False

    def start(self) -> None:
        # A thread that does not keep the process from ending, unlike the manager's own.
        self.background_thread_status.clear()
        thread: Any = threading.Thread(target=self._run_generation_loop, name="batch", daemon=True)
        self._generation_thread = thread
        thread.start()

    def end(self) -> None:
        self._is_ending = True
        # Not ``stop``, which collects garbage over and over: each time no other thread runs for
        # some tenths of a second.
        self.background_thread_status.request_stop(BackgroundThreadStatus.HARD_STOP, 0)
        self._wake_up()
        self.join(time.perf_counter(), _STOP_TIMEOUT_S)
        self.batch_processor = None
        self.distributed_helper.destroy_cpu_comm_group()
        if self._original_attn_impl is not None:
            self.model.set_attn_implementation(self._original_attn_impl)
        # Otherwise the weights would stay as long as anyone holds the engine.
        del self.model

    def _wake_up(self) -> None:
        # Its name changed between the versions of transformers that are allowed.
        name = "_wake_up_loop" if hasattr(self, "_wake_up_loop") else "_has_new_requests"
        getattr(self, name).set()

    def cache_bytes(self) -> int:
        ios: Any = self.batch_processor.inputs_and_outputs if self.batch_processor else None
        cache: Any = self.batch_processor.cache if self.batch_processor else None
        return _tensor_bytes(vars(ios)) + _tensor_bytes(vars(cache)) if ios else 0

    def _create_batch_processor(self) -> Any:
        with UntouchedZeros():
            processor: Any = super()._create_batch_processor()
        processor.scheduler.on_news = self._on_news
        processor.scheduler.prefill_tokens = self._prefill_tokens
        return processor

    def _run_generation_loop(self) -> None:
        super()._run_generation_loop()
        fatal = self.background_thread_status.fatal_error
        if fatal is not None:
            # The frames that it was raised in hold the cache, which must go when this ends.
            traceback.clear_frames(fatal.__traceback__)
        if not self._is_ending:
            self._on_fallen()


def _config(sizes: BatchSizes) -> ContinuousBatchingConfig:
    wanted: dict[str, Any] = {
        # The name of a page's size changed between the versions of transformers that are allowed.
        "page_size": sizes.page_tokens,
        "block_size": sizes.page_tokens,
        "num_blocks": sizes.num_blocks,
        "max_batch_tokens": sizes.max_batch_tokens,
        "max_requests_per_batch": sizes.slots,
        # What may be used was settled by the reservation.
        "max_memory_percent": 1.0,
        "allow_block_sharing": True,
        "use_cuda_graph": False,
        "use_async_batching": False,
        "scheduler_type": _SCHEDULER,
        # Only attention kernels that are installed, none that would be fetched from a hub.
        "auto_switch_to_flash": is_flash_attn_2_available(),
    }
    known = {field.name for field in fields(ContinuousBatchingConfig)}
    if "page_size" in known:
        del wanted["block_size"]
    return ContinuousBatchingConfig(**{name: wanted[name] for name in wanted if name in known})


def _tensor_bytes(attributes: Mapping[str, Any]) -> int:
    """Bytes of the tensors among ``attributes``, each storage once."""
    tensors = [one for value in attributes.values() for one in _tensors_in(value)]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(storages.values())


def _tensors_in(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [one for part in value.values() for one in _tensors_in(part)]
    if isinstance(value, list | tuple):
        return [one for part in value for one in _tensors_in(part)]
    return []
