"""Token streams: the whole text, from its first piece, for whoever joins."""

from bus.token_stream import MAX_DELTA_CHARS, Token, TokenStreams, TokenWriter
from contracts.run_id import new_run_id
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.bus.tools import until

Heard = list[Token]


async def write(process: Process, run_id: str, *pieces: str, attempt: int = 1) -> None:
    """Stream ``pieces`` as one attempt."""
    writer = TokenWriter(process.connection, run_id, attempt)
    for piece in pieces:
        await writer.write(piece)


def text_of(heard: Heard) -> str:
    """The text, in the order of the offsets, which must leave no gap."""
    text = ""
    for token in heard:
        assert token.delta.offset == len(text)
        text += token.delta.text
    return text


async def test_a_text_is_heard_live_and_read_later(settings: Settings) -> None:
    run_id = new_run_id()
    heard: Heard = []
    async with (
        open_process(settings, "test") as process,
        TokenStreams(process.connection) as streams,
    ):
        forget = streams.listen(run_id, heard.append)
        await write(process, run_id, "Hello", "", " wörld", " 🦙!")
        await until(lambda: len(heard) == 3)
        assert text_of(heard) == "Hello wörld 🦙!"
        assert await streams.earlier(run_id) == heard
        forget()
        await write(process, new_run_id(), "another run")
        assert await streams.earlier(new_run_id()) == []


async def test_a_large_piece_travels_in_several(settings: Settings) -> None:
    run_id, piece = new_run_id(), "\x01é" * MAX_DELTA_CHARS
    heard: Heard = []
    async with (
        open_process(settings, "test") as process,
        TokenStreams(process.connection) as streams,
    ):
        streams.listen(run_id, heard.append)
        await write(process, run_id, piece)
        await until(lambda: len(heard) == 2)
        assert text_of(heard) == piece


async def test_attempts_are_told_apart(settings: Settings) -> None:
    run_id = new_run_id()
    async with (
        open_process(settings, "test") as process,
        TokenStreams(process.connection) as streams,
    ):
        heard: Heard = []
        streams.listen(run_id, heard.append)
        await write(process, run_id, "one", attempt=1)
        await write(process, run_id, "two", attempt=2)
        await until(lambda: len(heard) == 2)
        assert [(token.attempt, token.delta.text) for token in heard] == [(1, "one"), (2, "two")]


async def test_foreign_tokens_are_passed_over(settings: Settings) -> None:
    run_id = new_run_id()
    heard: Heard = []
    async with (
        open_process(settings, "test") as process,
        TokenStreams(process.connection) as streams,
    ):
        streams.listen(run_id, heard.append)
        for subject in (f"tokens.{run_id}.1", f"tokens.{run_id}.x", "tokens.x.1"):
            await process.connection.jetstream.publish(subject, b"junk")
        await write(process, run_id, "ours")
        await until(lambda: len(heard) == 1)
        assert [token.delta.text for token in await streams.earlier(run_id)] == ["ours"]
        assert [error.message for error in process.connection.errors] == []


async def test_losing_the_stream_of_tokens_is_no_fault_of_the_writer(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await process.connection.close()
        await write(process, new_run_id(), "a picture, not a promise")
