"""Token ids to text, one token at a time, never half a character."""

from collections.abc import Callable, Sequence

REPLACEMENT = "\ufffd"
# A character spans at most four tokens. Ids that make no valid text after twice as many never
# will, so they are given out as they are instead of being decoded again and again.
MAX_PENDING_TOKENS = 8


class Detokenizer:
    """Incremental decoding with a window: a token's text may depend on the one before it.

    ``decode`` maps ids to text, with U+FFFD for bytes that are not (yet) UTF-8. Pure.
    """

    __slots__ = ("_begin", "_decode", "_done", "_ids")

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._begin = 0
        self._done = 0

    def push(self, token_id: int) -> str:
        """The text that ``token_id`` completes; empty while a character is incomplete."""
        self._ids.append(token_id)
        given, text = self._window()
        if text.endswith(REPLACEMENT) and len(self._ids) - self._done < MAX_PENDING_TOKENS:
            return ""
        self._begin, self._done = self._done, len(self._ids)
        return text[len(given) :]

    def flush(self) -> str:
        """What is left when no token follows, without an incomplete last character."""
        given, text = self._window()
        self._begin = self._done = len(self._ids)
        return text[len(given) :].rstrip(REPLACEMENT)

    def _window(self) -> tuple[str, str]:
        given = self._decode(self._ids[self._begin : self._done])
        return given, self._decode(self._ids[self._begin :])
