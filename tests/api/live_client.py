"""A client of the live routes: it reads server-sent events, and shows what a page would."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class Sent:
    """One server-sent event."""

    name: str
    cursor: str | None
    data: dict[str, Any]


@asynccontextmanager
async def listening(url: str, **headers: str) -> AsyncIterator[AsyncIterator[Sent]]:
    """What the server sends on ``url``."""
    sent = {"Accept": "text/event-stream", **headers}
    async with httpx2.AsyncClient(timeout=20) as http:
        async with http.stream("GET", url, headers=sent) as response:
            assert response.status_code == 200, await response.aread()
            assert response.headers["content-type"].startswith("text/event-stream")
            yield _events(response)


async def _events(response: httpx2.Response) -> AsyncIterator[Sent]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Sent(fields["event"], fields.get("id"), json.loads(fields["data"]))
            fields = {}


class Page:
    """What a page shows of one run: each event once, and the text of each attempt."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.text: dict[int, str] = {}
        self.cursor = "0"
        self.done: dict[str, Any] | None = None

    def take(self, message: dict[str, Any]) -> None:
        """Show one message; a gap in the text or an event twice is a fault."""
        self.cursor = message.get("cursor", self.cursor)
        match message["type"]:
            case "event":
                sequences = [event["sequence"] for event in self.events]
                assert message["sequence"] > max(sequences, default=0)
                shown = {name: message[name] for name in message if name not in {"cursor", "type"}}
                self.events.append(shown)
            case "token":
                before = self.text.get(message["attempt"], "")
                assert message["offset"] <= len(before), "a gap"
                self.text[message["attempt"]] = before[: message["offset"]] + message["text"]
            case "done":
                self.done = message["run"]
