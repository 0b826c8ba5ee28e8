"""Actors of the control: the same ones, but each writes whatever was written before.

Started by the chaos suite alone, which must find what goes wrong then.
"""

import typer

from promptbus.cli.actor import run_actor
from promptbus.cli.options import run
from promptbus.settings import Settings


async def _run_actor(settings: Settings, *kinds: str) -> int:
    return await run_actor(settings, kinds, first_writer_wins=False)


def main(kinds: list[str]) -> None:
    """Serve actors of ``kinds`` without the rule that the first writer wins."""
    run(_run_actor, *kinds)


if __name__ == "__main__":
    typer.run(main)
