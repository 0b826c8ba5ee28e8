"""AutoGen's gRPC runtime: a request to each of six agents in turn, by way of its host.

Keeps nothing on disk. Three processes, like promptbus on one machine: the host, the agents, and
this client. Runs in an environment that has ``autogen-core`` and ``autogen-ext[grpc]``; nothing
else of the benchmarks does, so its types are not known here.
"""

import asyncio
import importlib
import multiprocessing
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.batch_server import serve

AGENTS = tuple(f"agent_{number}" for number in range(6))
READY_TIMEOUT_S = 30.0


@dataclass
class Ping:
    """What goes to an agent and comes back from it."""

    text: str


async def answer(_context: Any, message: Ping, _about: Any) -> Ping:
    """An agent: gives back what it got."""
    return message


async def serve_host(address: str) -> None:
    """The host that all messages pass through."""
    grpc = importlib.import_module("autogen_ext.runtimes.grpc")
    grpc.GrpcWorkerAgentRuntimeHost(address=address).start()
    await asyncio.Event().wait()


async def serve_agents(address: str) -> None:
    """The six agents."""
    core = importlib.import_module("autogen_core")
    runtime = await connect(address)
    for name in AGENTS:
        await core.ClosureAgent.register_closure(
            runtime, name, answer, skip_direct_message_subscription=True
        )
    await asyncio.Event().wait()


async def connect(address: str) -> Any:
    """A worker runtime that is connected to the host and knows the message."""
    core = importlib.import_module("autogen_core")
    grpc = importlib.import_module("autogen_ext.runtimes.grpc")
    runtime = grpc.GrpcWorkerAgentRuntime(host_address=address)
    runtime.add_message_serializer(core.try_get_known_serializers_for_type(Ping))
    await runtime.start()
    return runtime


async def call(address: str) -> None:
    """The client: serves batches of the job ``run``."""
    core = importlib.import_module("autogen_core")
    runtime = await connect(address)
    ids = [core.AgentId(name, "default") for name in AGENTS]

    async def run() -> Mapping[str, float]:
        started = time.perf_counter()
        for recipient in ids:
            got = await runtime.send_message(Ping("good morning"), recipient)
            if got.text != "good morning":
                raise RuntimeError(f"an agent answered {got!r}")
        return {"run": (time.perf_counter() - started) * 1000}

    await _until_agents_answer(run)
    await serve({"run": run})


async def _until_agents_answer(run: Any) -> None:
    give_up_at = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            await asyncio.wait_for(run(), 1.0)
        except Exception:
            # Which exception an unknown agent is told by differs between versions.
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(0.2)
        else:
            return


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _in_process(serving: Any, address: str) -> None:
    asyncio.run(serving(address))


def main() -> None:
    """Start host and agents as children that end with this process, and call them."""
    address = _free_address()
    spawn = multiprocessing.get_context("spawn")
    children = [
        spawn.Process(target=_in_process, args=(serving, address), daemon=True)
        for serving in (serve_host, serve_agents)
    ]
    for child in children:
        child.start()
        time.sleep(1.0)  # The agents need the host to be there.
    try:
        asyncio.run(call(address))
    finally:
        for child in children:
            child.terminate()


if __name__ == "__main__":
    main()
