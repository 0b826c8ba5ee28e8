"""``promptbus dead``: what nobody could handle is found, corrected and sent again."""

import anyio
import pytest

from promptbus.process import open_process
from promptbus.settings import Settings
from tests.promptbus.commands import until
from tests.promptbus.conftest import System

HELLO = '{"prompt": "sent again", "model": "echo"}'


async def _publish_junk(system: System) -> None:
    settings = Settings(data_dir=system.data_dir).with_address(system.endpoint.address())
    async with open_process(settings, "test") as process:
        await process.connection.jetstream.publish("prompts.batch", b"junk")


@pytest.fixture
def letter_id(system: System) -> str:
    """A letter of this test."""
    before = {one["letter_id"] for one in system.run("dead", "list", "--json").json()}
    anyio.run(_publish_junk, system)

    def new() -> set[int]:
        listed = system.run("dead", "list", "--json").json()
        return {one["letter_id"] for one in listed} - before

    return str(min(until(new)))


def test_a_letter_is_shown_corrected_and_replayed(system: System, letter_id: str) -> None:
    shown, refused, wrong, edited, replayed, again, dropped = system.each(
        f"dead show {letter_id}",
        f"dead replay {letter_id}",
        f"dead edit {letter_id} --payload '{{\"prompt\": 5}}'",
        f"dead edit {letter_id} --payload '{HELLO}' --json",
        f"dead replay {letter_id} --json",
        f"dead replay {letter_id}",
        f"dead drop {letter_id}",
    )
    assert shown.out.splitlines()[0] == f"letter {letter_id}  open"
    assert "junk" in shown.out
    assert shown.err.startswith("error body: is not valid JSON")
    assert (refused.code, wrong.code) == (2, 2)
    assert wrong.err.startswith("error prompt: ")
    run_id = replayed.json()["replayed_as"]
    assert edited.json()["replay_sends"]["subject"] == f"prompts.batch.{run_id}"
    assert again.out == f"letter {letter_id} is replayed as run {run_id}\n"
    assert (dropped.code, dropped.err) == (
        1,
        f"error dead letter {letter_id} was replayed already\n",
    )
    until(lambda: system.run("run", "show", run_id, "--json").json()["state"] == "answered")


def test_a_letter_is_edited_in_an_editor_and_dropped(system: System, letter_id: str) -> None:
    none = system.run("dead", "edit", letter_id, EDITOR="", VISUAL="")
    assert (none.code, none.err.splitlines()[0]) == (2, "error payload: no editor is set")
    failing = system.run("dead", "edit", letter_id, VISUAL="false")
    assert (failing.code, failing.err) == (2, "error payload: the editor ended with 1\n")
    filled = system.run("dead", "edit", letter_id, "--payload", "-", stdin=HELLO.encode())
    assert filled.out.splitlines()[0] == f"letter {letter_id}  open (edited)"
    changed = system.run("dead", "edit", letter_id, "--json", VISUAL="sed -i s/again/anew/")
    assert "sent anew" in changed.json()["payload"]
    dropped, listed = system.each(
        f"dead drop {letter_id} --reason 'not worth it'", "dead list --state dropped --json"
    )
    assert dropped.out == f"letter {letter_id} is dropped\n"
    assert listed.json()[0]["reason"] == "not worth it"


def test_letters_that_are_not_there_are_told(system: System) -> None:
    for done in system.each("dead show 99999", "dead replay x", "dead drop '*'"):
        assert done.code == 1
        assert done.err.startswith("error no dead letter ")
