"""Actors of the control: the same ones, but each writes whatever was written before.

Started by the chaos suite alone, which must find what goes wrong then.
"""

import sys

from promptbus.cli.actor import run_actor
from promptbus.cli.shell import run_command
from promptbus.settings import Settings


async def _run(settings: Settings, *names: str) -> int:
    return await run_actor(settings, names, first_writer_wins=False)


if __name__ == "__main__":
    run_command(_run, tuple(sys.argv[1:]), {})
