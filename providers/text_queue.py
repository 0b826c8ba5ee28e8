"""Pieces of text on their way from a provider to the one reader of a stream."""

import asyncio


class TextQueue:
    """An unbounded queue with an end; what is in it is bounded by ``max_tokens``."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()

    def put(self, text: str) -> None:
        """Add a piece; from the event loop's thread."""
        self._queue.put_nowait(text)

    def end(self) -> None:
        """No piece follows."""
        self._queue.put_nowait(None)

    async def get(self) -> str | None:
        """The next piece, or None after the last."""
        return await self._queue.get()
