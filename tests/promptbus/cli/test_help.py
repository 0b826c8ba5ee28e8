"""Help is quick, whole, and never loads what only running needs."""

import pytest

from promptbus import __version__
from tests.promptbus.commands import environment, promptbus_each, python

COMMANDS = (
    "up",
    "keys",
    "keys create",
    "ask",
    "run",
    "run show",
    "run list",
    "run cancel",
    "actor",
    "step",
    "models",
)
HEAVY = ("torch", "transformers", "langgraph", "langchain_core", "fastapi", "sqlalchemy", "nats")


def test_every_command_explains_itself_in_the_width_there_is() -> None:
    commands = ["", *COMMANDS, "doctor"]
    for width in (120, 80, 40):
        each = promptbus_each(
            [[*command.split(), "--help"] for command in commands],
            env=environment(COLUMNS=str(width)),
        )
        for command, done in zip(commands, each, strict=True):
            assert done.code == 0
            assert "Usage: promptbus" in done.out
            assert max(map(len, done.out.splitlines())) <= width, command


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [(("--help",), HEAVY), (("doctor", "--json"), HEAVY[:4]), (("models", "--json"), HEAVY[:4])],
)
def test_nothing_heavy_is_imported(arguments: tuple[str, ...], heavy: tuple[str, ...]) -> None:
    done = python("-X", "importtime", "-m", "promptbus", *arguments)
    imported = {line.rpartition("|")[2].strip() for line in done.err.splitlines()}
    assert "typer" in imported
    assert not imported & set(heavy)


def test_misuse_of_a_command_ends_with_2_and_says_what() -> None:
    cases = {
        ("fly",): "No such command",
        ("ask",): "Missing argument",
        ("run", "list", "--limit", "0"): "--limit",
        ("run", "list", "--state", "lost"): "--state",
        ("up", "--port", "many"): "--port",
        ("up", "--port", "65536"): "error --port: Input should be less",
    }
    each = promptbus_each([["--version"], *cases])
    assert each[0].out.strip() == __version__
    for told, done in zip(cases.values(), each[1:], strict=True):
        assert (done.code, done.out) == (2, "")
        assert told in done.err
