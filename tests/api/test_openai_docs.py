"""The examples of docs/openai.md, run as they stand but for the port."""

import re
import shlex
import sys
from pathlib import Path

import anyio

from bus.connection import BusAddress
from tests.api.house import open_house, serve

PAGE = Path(__file__).parents[2] / "docs" / "openai.md"
PORT = "8321"


async def test_the_examples_work(address: BusAddress, data_dir: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (command,) = re.findall(r"^    (curl .*?)\n\n", page, re.DOTALL | re.MULTILINE)
    async with open_house(address, data_dir) as house, serve(house.app) as port:

        async def run(*words: str) -> str:
            told = [word.replace(PORT, str(port)) for word in words]
            return (await anyio.run_process(told)).stdout.decode()

        assert "Paris" in await run(sys.executable, "-c", program)
        assert '"content":"' in await run(*shlex.split(command.replace("\\\n", "")))
