"""What a provider tells of a generation, on its way to the one reader of a stream."""

import asyncio

from contracts.waiting import WaitNote

Piece = str | WaitNote


class PieceQueue:
    """An unbounded queue with an end; what is in it is bounded by ``max_tokens``."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Piece | None] = asyncio.Queue()

    def put(self, piece: Piece) -> None:
        """Add a piece of text, or a note on the wait for it; from the event loop's thread."""
        self._queue.put_nowait(piece)

    def end(self) -> None:
        """No piece follows."""
        self._queue.put_nowait(None)

    async def get(self) -> Piece | None:
        """The next piece, or None after the last."""
        return await self._queue.get()
