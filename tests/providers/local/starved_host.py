"""A host whose process is given less memory than its models need, for real; its own process.

Run with the folder of a checkpoint. Each act prints one line of JSON: what came of a request, and
which models are resident then.
"""

import asyncio
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import PromptbusError
from contracts.generation import GenerationRequest
from providers.local.local_provider import LocalProvider
from providers.provider_gateway import ProviderGateway
from providers.registries.model_entry import ModelEntry
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

# The ledger would hold all models at a time; the process may not.
BUDGET_BYTES = 8 << 30
KV_TOKENS = 32 * 1024
LONG_PROMPT = "the quick brown fox jumps over the lazy dog " * 700


def used_bytes() -> int:
    """What counts against the limit."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmData"))
    return int(line.split()[1]) * 1024


@contextmanager
def at_most(num_bytes: int) -> Iterator[None]:
    """The process gets no more than ``num_bytes`` of data in all."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


class Host:
    """The gateway of the starved process."""

    def __init__(self, folder: Path) -> None:
        entries = [ModelEntry(key=key, source=str(folder)) for key in ("a", "b")]
        self.gateway = ProviderGateway(
            ModelRegistry(entries),
            StrategyRegistry.from_toml(),
            [LocalProvider(budgets={"cpu": BUDGET_BYTES}, kv_tokens=KV_TOKENS, num_threads=1)],
        )

    async def act(self, name: str, model: str, prompt: str = "hello") -> None:
        """Ask ``model`` and say what came of it."""
        request = GenerationRequest(model=model, prompt=prompt, max_tokens=3, temperature=0.0)
        told: dict[str, object] = {"act": name}
        try:
            told["output"] = (await self.gateway.generate(request)).output
        except PromptbusError as exc:
            told |= {"code": exc.code, "message": exc.message, "cure": exc.cure}
        told["resident"] = [one.model for one in self.gateway.models() if one.resident]
        sys.stdout.write(json.dumps(told) + "\n")


async def main(folder: Path) -> None:
    """All acts."""
    host = Host(folder)
    # Everything that is set up once, and how much a model takes.
    await host.act("a alone", "a")
    alone = used_bytes()
    await host.act("both", "b")
    size = used_bytes() - alone
    await host.gateway.unload("b")
    with at_most(used_bytes() + size // 2):
        await host.act("b in the place of a", "b")
    await host.act("both again", "a")
    with at_most(used_bytes() + (8 << 20)):
        await host.act("a long prompt in the memory of b", "a", LONG_PROMPT)
    await host.gateway.unload("a")
    await host.gateway.unload("b")
    await host.act("a before hunger", "a")
    with at_most(used_bytes() - size // 2):
        await host.act("no room at all", "b")
    await host.act("after hunger", "b")
    await host.gateway.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
