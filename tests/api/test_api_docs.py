"""The examples of docs/api.md, run as they stand against a real server, and no route left out."""

import re
from pathlib import Path

import anyio

from api.limits import ApiLimits
from bus.connection import BusAddress
from tests.api.house import open_house, serve

DOCS = Path(__file__).parents[2] / "docs"
PORT = "8321"
# An answer that is an error ends the script, unless the example says that it may be one.
HEAD = """
set -eu
curl() { command curl --fail-with-body --max-time 60 "$@"; }
"""


def commands_of(page: str) -> str:
    """The indented blocks of ``page`` that are commands of a shell."""
    lines = [line.removeprefix("    ") for line in page.splitlines() if line.startswith("    ")]
    return "\n".join(line for line in lines if not line.startswith("python "))


async def test_every_example_works(address: BusAddress, data_dir: Path) -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    commands = commands_of(page)
    limits = ApiLimits()
    async with (
        open_house(address, data_dir, limits=limits) as house,
        serve(house.app, limits) as port,
    ):
        await house.process.connection.jetstream.publish("prompts.normal", b'{"promt": "Hello"}')
        with anyio.fail_after(20):
            while not (await house.process.connection.jetstream.stream_info("DEAD")).state.messages:
                await anyio.sleep(0.05)
        script = HEAD + commands.replace(f":{PORT}", f":{port}")
        found = await anyio.run_process(["bash", "-c", script], check=False)
        told = found.stdout.decode()
        assert found.returncode == 0, told[-2000:] + found.stderr.decode()
        for part in ('= 19"', "event: done", "event: events", '"code":"already_final"'):
            assert part in told, part
        assert told.count("HTTP/1.1 202") == 1

        documented = "".join((DOCS / name).read_text("utf-8") for name in ("api.md", "openai.md"))
        for path in house.app.openapi()["paths"]:
            shown = re.sub(r"\\\{[a-z_]+\\\}", r"[^/\\s`]+", re.escape(path))
            assert re.search(rf"{shown}/?(?=[\s?`'])", documented), f"{path} has no example"
