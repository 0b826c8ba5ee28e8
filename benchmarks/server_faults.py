"""How long prompts wait when NATS servers of a cluster fall: from the fault to the answer.

    python -m benchmarks.server_faults --rounds 3 --away-s 60

A prompt is submitted right after each fault, by a client that tries again; all actors live in one
process, which must be the same one at the end.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio

from bus.prompt_client import PromptClient
from bus.topology import RUNS
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable
from contracts.prompt import SubmitPrompt
from contracts.run_id import new_run_id
from promptbus.chaos.fleet import CommandMember, Fleet
from promptbus.chaos.plan import ChaosPlan
from promptbus.chaos.system import joint_address, make_servers, server_members, system_settings
from promptbus.nats_server import NatsServer
from promptbus.process import Process, open_process

PLAN = ChaosPlan(num_runs=1, num_faults=0, seed=0, num_nodes=3)
SETTLE_S = 10.0
FREEZE_S = 6.0

Befall = Callable[[list[NatsServer], int], Coroutine[Any, Any, None]]


async def kill(servers: list[NatsServer], which: int) -> None:
    """Kill one, and start it again."""
    servers[which].kill()
    await anyio.sleep(1)
    servers[which].launch()


async def freeze(servers: list[NatsServer], which: int) -> None:
    """Freeze one for a while."""
    pid = servers[which].pid or 0
    os.kill(pid, signal.SIGSTOP)
    await anyio.sleep(FREEZE_S)
    os.kill(pid, signal.SIGCONT)


async def restart_each(servers: list[NatsServer], _which: int) -> None:
    """A rolling restart."""
    for server in servers:
        await anyio.to_thread.run_sync(server.stop)
        server.launch()
        await anyio.to_thread.run_sync(server.wait_until_healthy)


def kill_all(away_s: float) -> Befall:
    """Kill all of them, and start them again after a while."""

    async def befall(servers: list[NatsServer], _which: int) -> None:
        for server in servers:
            server.kill()
        await anyio.sleep(away_s)
        for server in servers:
            server.launch()

    return befall


async def leader(process: Process) -> int:
    """Which server leads RUNS."""
    cluster = (await process.connection.jetstream.stream_info(RUNS)).cluster
    name = cluster.leader if cluster is not None and cluster.leader else "nats-1"
    return int(name.removeprefix("nats-")) - 1


async def answer(client: PromptClient) -> None:
    """Submit one prompt, trying again, and wait for its answer."""
    prompt = SubmitPrompt(prompt="hello", model="echo", max_attempts=1, run_id=new_run_id())
    while True:
        try:
            await client.submit(prompt)
            await client.wait(str(prompt.run_id))
        except BusUnavailable:
            continue
        return


async def measure(rounds: int, away_s: float, folder: Path) -> None:
    """Print one line per fault."""
    fleet, servers = Fleet(), make_servers(PLAN, folder, None)
    try:
        fleet.add(server_members(servers))
        for server in servers:
            server.wait_until_healthy()
        settings = system_settings(PLAN, folder, joint_address(servers), api_port=0)
        argv = [sys.executable, "-m", "promptbus", "actor", *ActorKind]
        actors = CommandMember("actors", argv, settings.environment(), folder)
        fleet.add([actors])
        async with (
            open_process(settings, "bench") as process,
            PromptClient(process.connection, process.publisher, process.stored) as client,
        ):
            await answer(client)
            await _measure_each(rounds, away_s, servers, process, client)
        print("the actors' process is", "the same" if actors.code is None else "another one")
    finally:
        fleet.end_all()


async def _measure_each(
    rounds: int, away_s: float, servers: list[NatsServer], process: Process, client: PromptClient
) -> None:
    faults: dict[str, tuple[Befall, int, int]] = {
        "leader, kill -9": (kill, 0, rounds),
        "follower, kill -9": (kill, 1, rounds),
        f"leader frozen for {FREEZE_S:g} s": (freeze, 0, rounds),
        "all restarted, one after the other": (restart_each, 0, rounds),
        "all three, kill -9": (kill_all(0), 0, rounds),
        f"all three away for {away_s:g} s": (kill_all(away_s), 0, 1),
    }
    for name, (befall, place, num_times) in faults.items():
        took_s = []
        for _ in range(num_times):
            which = (await leader(process) + place) % len(servers)
            began_s = time.monotonic()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(befall, servers, which)
                await anyio.sleep(0.05)
                await answer(client)
                took_s.append(time.monotonic() - began_s)
            await anyio.sleep(SETTLE_S)
        spread = f"{min(took_s):.1f} to {max(took_s):.1f} s" if len(took_s) > 1 else ""
        print(f"| {name} | {statistics.median(took_s):.1f} s | {spread} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--away-s", type=float, default=60.0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(measure, wanted.rounds, wanted.away_s, Path(folder))


if __name__ == "__main__":
    main()
