"""What a remote model said so far, with its stop strings cut."""

from contracts.generation import FinishReason
from providers.generation_job import GenerationJob
from providers.openai.chat_chunk import ChatChunk
from providers.provider import OnText
from providers.stop_cutter import StopCutter


class Transcript:
    """Gathers the pieces of one answer and hands them on as they come; pure.

    ``now_s`` values are instants of the caller's clock. A server that counts no tokens has its
    pieces counted, which most servers send one a token.
    """

    def __init__(self, job: GenerationJob, on_text: OnText | None) -> None:
        self._stops = job.stop
        self._on_text = on_text
        self.restart(0.0)

    def restart(self, now_s: float) -> None:
        """Forget all; a try begins at ``now_s``. Only while nothing was handed on."""
        self._cutter = StopCutter(self._stops)
        self._said: list[str] = []
        self._num_pieces = 0
        self._completion_tokens: int | None = None
        self.prompt_tokens = 0
        self.finish_reason: FinishReason | None = None
        self.started_at = now_s
        self.first_token_at: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether some of the answer was handed on."""
        return bool(self._said)

    @property
    def is_cut(self) -> bool:
        """Whether a stop string ended the answer."""
        return self._cutter.stopped

    @property
    def output(self) -> str:
        """All that was handed on."""
        return "".join(self._said)

    @property
    def completion_tokens(self) -> int:
        """Tokens as the server counted them, else the pieces there were."""
        return self._num_pieces if self._completion_tokens is None else self._completion_tokens

    def hear(self, chunk: ChatChunk, now_s: float) -> None:
        """Take in the next piece."""
        if chunk.text:
            self._num_pieces += 1
            if self.first_token_at is None:
                self.first_token_at = now_s
            self._say(self._cutter.push(chunk.text))
        if self.is_cut:
            self.finish_reason = "stop"
        elif chunk.finish_reason is not None:
            self.finish_reason = chunk.finish_reason
        if chunk.prompt_tokens is not None:
            self.prompt_tokens = chunk.prompt_tokens
        if chunk.completion_tokens is not None:
            self._completion_tokens = chunk.completion_tokens

    def end(self) -> None:
        """The stream is over: what looked like the beginning of a stop string was none."""
        self._say(self._cutter.flush())

    def _say(self, text: str) -> None:
        if text:
            self._said.append(text)
            if self._on_text is not None:
                self._on_text(text)
