"""What happens at each token of a plain ``generate``: the answer grows, until it has ended."""

from typing import Any

import torch
from transformers import StoppingCriteria

from providers.cancellation import Cancellation
from providers.local.answer_text import AnswerText


class TokenWatcher(StoppingCriteria):
    """Hands each token to ``answer``, and stops when that has ended or ``cancel`` is set."""

    def __init__(self, answer: AnswerText, cancel: Cancellation) -> None:
        self._answer = answer
        self._cancel = cancel

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        """``input_ids`` [1, length] → whether to stop, as a bool tensor [1]."""
        if self._cancel.cancelled:
            self._answer.cancel()
        # On CUDA ``generate`` looks at the answer one token late; what comes after is not ours.
        self._answer.take(int(input_ids[0, -1]))
        ended = self._answer.finish_reason is not None
        return torch.full(  # type: ignore[return-value]
            (1,), ended, dtype=torch.bool, device=input_ids.device
        )
