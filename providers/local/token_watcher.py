"""What happens at each token: text comes out, and reasons to stop are looked for."""

import time
from typing import Any

import torch
from transformers import StoppingCriteria

from contracts.generation import FinishReason
from providers.cancellation import Cancellation
from providers.local.detokenizer import Detokenizer
from providers.provider import OnText
from providers.stop_cutter import StopCutter


class TokenWatcher(StoppingCriteria):
    """Called by ``generate`` after each token; collects the output and decides when it ends.

    Ends with ``stop`` at an end-of-turn token or a stop string, with ``cancelled`` at the first
    token after the wish; the caller calls :meth:`finish`, which settles on ``length`` otherwise.
    """

    def __init__(
        self,
        *,
        eos_ids: frozenset[int],
        detokenizer: Detokenizer,
        cutter: StopCutter,
        on_text: OnText | None,
        cancel: Cancellation,
    ) -> None:
        self._eos_ids = eos_ids
        self._detokenizer = detokenizer
        self._cutter = cutter
        self._on_text = on_text
        self._cancel = cancel
        self._pieces: list[str] = []
        self._finish_reason: FinishReason | None = None
        self.num_tokens = 0
        self.first_token_at: float | None = None

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        """``input_ids`` [1, length] → whether to stop, as a bool tensor [1]."""
        # On CUDA ``generate`` looks at the answer one token late; what comes after is not ours.
        if self._finish_reason is None:
            self._take(int(input_ids[0, -1]))
        return torch.full(  # type: ignore[return-value]
            (1,), self._finish_reason is not None, dtype=torch.bool, device=input_ids.device
        )

    def finish(self) -> tuple[str, FinishReason]:
        """The whole output and why it ended; text held back until now comes out first."""
        if not self._cutter.stopped:
            self._emit(self._cutter.push(self._detokenizer.flush()) + self._cutter.flush())
            if self._cutter.stopped:
                self._finish_reason = "stop"
        return "".join(self._pieces), self._finish_reason or "length"

    def _take(self, token_id: int) -> None:
        if self._cancel.cancelled:
            self._finish_reason = "cancelled"
            return
        if self.first_token_at is None:
            self.first_token_at = time.perf_counter()
        self.num_tokens += 1
        if token_id in self._eos_ids:
            self._finish_reason = "stop"
            return
        self._emit(self._cutter.push(self._detokenizer.push(token_id)))
        if self._cutter.stopped:
            self._finish_reason = "stop"

    def _emit(self, text: str) -> None:
        if not text:
            return
        self._pieces.append(text)
        if self._on_text is not None:
            self._on_text(text)
