"""Small decisions of the bridge: where to load, and how much of an event a list shows; pure."""

from datetime import UTC, datetime

import pytest

from api.model_cache import choose_host
from api.run_event import MAX_EXCERPT_CHARS, MAX_EXCERPT_ITEMS, cut_event
from contracts.event import RunStarted
from contracts.journal_entry import JournalEntry
from contracts.presence import DeviceReport, HostReport, ModelReport
from contracts.prompt import ChatMessage, SubmitPrompt
from contracts.run_id import new_run_id
from contracts.subjects import STARTED, RunSubject


def host(name: str, *free_bytes: int, resident: bool = False, available: bool = True) -> HostReport:
    """A machine with devices that have so much free, and one model."""
    model = ModelReport(
        model="m",
        provider="local",
        source="local",
        strategies=("standard",),
        default_strategy="standard",
        available=available,
        resident=resident,
    )
    devices = tuple(
        DeviceReport(name=f"cuda:{number}", kind="cuda", total_bytes=10**9, free_bytes=free)
        for number, free in enumerate(free_bytes)
    )
    return HostReport(host=name, num_cpus=1, devices=devices, models=(model,))


@pytest.mark.parametrize(
    ("hosts", "chosen"),
    [
        ((host("small", 10), host("big", 5, 20)), "big"),
        ((host("big", 99), host("holder", 1, resident=True)), "holder"),
        ((host("big", 99, available=False), host("small", 1)), "small"),
        ((host("bare"), host("small", 1)), "small"),
    ],
)
def test_a_model_is_loaded_where_it_is_or_where_most_is_free(
    hosts: tuple[HostReport, ...], chosen: str
) -> None:
    assert choose_host(hosts, "m").host == chosen
    assert choose_host(hosts[::-1], "m").host == chosen


def test_a_list_shows_the_beginning_of_what_is_long() -> None:
    run_id = new_run_id()
    turns = tuple(ChatMessage(role="user", content="x" * 3000) for _ in range(40))
    submitted = SubmitPrompt(run_id=run_id, prompt="y" * 5000, messages=turns)
    entry = JournalEntry(
        subject=RunSubject(run_id, STARTED),
        event=RunStarted(run_id=run_id, submitted=submitted),
        sequence=7,
        stored_at=datetime.now(UTC),
        writer="test",
        nonce="1",
    )
    event = cut_event(entry)
    assert (event.run_id, event.sequence, event.step) == (run_id, 7, "started")
    shown = event.data["submitted"]
    assert shown["prompt"] == "y" * MAX_EXCERPT_CHARS + "…"
    assert len(shown["messages"]) == MAX_EXCERPT_ITEMS
    assert len(event.model_dump_json()) < 4000
