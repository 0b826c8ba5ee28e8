"""One answer as its tokens arrive: text comes out, and reasons to stop are looked for."""

import time

from contracts.generation import FinishReason
from providers.local.detokenizer import Detokenizer
from providers.local.json_constraint import JsonConstraint
from providers.provider import OnText
from providers.stop_cutter import StopCutter


class AnswerText:
    """Collects the output of one generation and decides when it ends.

    Ends with ``stop`` at an end-of-turn token, a stop string, or once the JSON that was asked for
    is complete; :meth:`finish` settles on ``length`` otherwise.
    """

    def __init__(
        self,
        *,
        eos_ids: frozenset[int],
        detokenizer: Detokenizer,
        cutter: StopCutter,
        on_text: OnText | None,
        constraint: JsonConstraint | None = None,
    ) -> None:
        self._eos_ids = eos_ids
        self._detokenizer = detokenizer
        self._cutter = cutter
        self._on_text = on_text
        self._constraint = constraint
        self._pieces: list[str] = []
        self.finish_reason: FinishReason | None = None
        self.num_tokens = 0
        self.first_token_at: float | None = None

    def take(self, token_id: int) -> None:
        """The next token; does nothing once the answer has ended."""
        if self.finish_reason is not None:
            return
        if self.first_token_at is None:
            self.first_token_at = time.perf_counter()
        self.num_tokens += 1
        if token_id in self._eos_ids:
            self.finish_reason = "stop"
            return
        self._emit(self._cutter.push(self._detokenizer.push(token_id)))
        if self._cutter.stopped or self._is_complete(token_id):
            self.finish_reason = "stop"

    def cancel(self) -> None:
        """End here, unless it ended already."""
        if self.finish_reason is None:
            self.finish_reason = "cancelled"

    def finish(self) -> tuple[str, FinishReason]:
        """The whole output and why it ended; text held back until now comes out first."""
        if not self._cutter.stopped:
            self._emit(self._cutter.push(self._detokenizer.flush()) + self._cutter.flush())
            if self._cutter.stopped:
                self.finish_reason = "stop"
        return "".join(self._pieces), self.finish_reason or "length"

    def _is_complete(self, token_id: int) -> bool:
        if self._constraint is None:
            return False
        self._constraint.take(token_id)
        return self._constraint.is_complete

    def _emit(self, text: str) -> None:
        if not text:
            return
        self._pieces.append(text)
        if self._on_text is not None:
            self._on_text(text)
