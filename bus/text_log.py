"""The text of one attempt while it grows, put together from pieces that may come twice."""

from bisect import bisect_right
from typing import Final

# Pieces are handed on in parts of this size at most: escaped in JSON they still fit a message.
MAX_PIECE_CHARS: Final = 32 * 1024


class TextLog:
    """A text known from character ``begin`` to ``end``, for any number of readers.

    ``begin`` is above 0 only where the first pieces are lost. ``rewinds`` lists, oldest first,
    from which character on what had been known was replaced, because another executor began the
    attempt anew and said something else.
    """

    def __init__(self) -> None:
        self.begin = 0
        self.end = 0
        self.rewinds: list[int] = []
        self._pieces: list[str] = []
        self._starts: list[int] = []

    def add(self, offset: int, text: str) -> bool:
        """Take the piece that begins at ``offset``; False, and nothing taken, behind a gap."""
        if offset > self.end:
            return False
        if offset < self.begin:
            self._restart()
            return self.add(offset, text)
        known = self.read(offset, len(text))
        if text.startswith(known):
            self._append(text[len(known) :])
        else:
            num_same = _num_same(known, text)
            self._cut(offset + num_same)
            self._append(text[num_same:])
        return True

    def skip_to(self, offset: int) -> None:
        """Begin at ``offset``: what stands before it is lost."""
        self._pieces, self._starts = [], []
        self.begin = self.end = offset

    def settle(self, whole: str) -> None:
        """Make the text ``whole``, which is what the attempt answered in the end."""
        if self.begin:
            self._restart()
        known = self.read(0, self.end)
        if not whole.startswith(known):
            self._cut(_num_same(known, whole))
        self._append(whole[self.end :])

    def read(self, offset: int, max_chars: int = MAX_PIECE_CHARS) -> str:
        """Up to ``max_chars`` of the text from character ``offset`` on."""
        stop = min(offset + max_chars, self.end)
        if not self.begin <= offset < stop:
            return ""
        first = bisect_right(self._starts, offset) - 1
        last = bisect_right(self._starts, stop - 1)
        joined = "".join(self._pieces[first:last])
        begin = offset - self._starts[first]
        return joined[begin : begin + stop - offset]

    def _append(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._starts.append(self.end)
            self.end += len(text)

    def _cut(self, offset: int) -> None:
        kept = self.read(self.begin, offset - self.begin)
        begin = self.begin
        self.skip_to(begin)
        self._append(kept)
        self.rewinds.append(offset)

    def _restart(self) -> None:
        self.skip_to(0)
        self.rewinds.append(0)


def _num_same(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
