"""The system that a chaos run breaks: NATS servers, actors and the API, each a process."""

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from promptbus.chaos.fleet import CommandMember, Member, ServerMember
from promptbus.chaos.plan import LEASE_S, ChaosPlan, Part
from promptbus.nats_server import ClusterSeat, NatsServer, free_port
from promptbus.settings import Settings

# Slow enough that a fault finds generations under way.
ECHO_PAUSE_S = 0.06
# These need no process of their own: each would be started again alike.
_KINDS = {
    Part.COORDINATOR: (ActorKind.COORDINATOR,),
    Part.EXECUTOR: (ActorKind.EXECUTOR,),
    Part.TEAM: (
        ActorKind.ANALYZER,
        ActorKind.HISTORY,
        ActorKind.MONITOR,
        ActorKind.VALIDATOR,
        ActorKind.SUMMARIZER,
    ),
}


def make_servers(plan: ChaosPlan, folder: Path, binary: Path | None) -> list[NatsServer]:
    """The servers of the plan, synced as by default; not started."""
    if plan.num_nodes == 1:
        return [NatsServer(folder / "nats-1", binary=binary)]
    ports = tuple(free_port() for _ in range(plan.num_nodes))
    password = secrets.token_urlsafe(24)
    return [
        NatsServer(
            folder / f"nats-{number}",
            binary=binary,
            seat=ClusterSeat(f"nats-{number}", port, ports, password),
        )
        for number, port in enumerate(ports, start=1)
    ]


def joint_address(servers: list[NatsServer]) -> BusAddress:
    """Where clients connect: to any of the servers."""
    first = servers[0].address
    urls = tuple(url for server in servers for url in server.address.urls)
    return BusAddress(urls=urls, user=first.user, password=first.password)


def system_settings(plan: ChaosPlan, folder: Path, address: BusAddress, api_port: int) -> Settings:
    """What all processes share: short leases, a model that needs no memory, a log of their work."""
    return Settings(
        data_dir=folder,
        host="127.0.0.1",
        port=api_port,
        nats_replicas=plan.num_nodes,
        default_model="echo",
        preload=(),
        lease_s=LEASE_S,
        echo_pause_s=ECHO_PAUSE_S,
        log_level="INFO",
    ).with_address(address)


def server_members(servers: list[NatsServer]) -> Iterator[Member]:
    """The servers as members of the fleet."""
    for number, server in enumerate(servers, start=1):
        yield ServerMember(f"{Part.NATS}-{number}", server)


def actor_members(plan: ChaosPlan, settings: Settings) -> Iterator[CommandMember]:
    """Actors and API as members of the fleet, each with a folder and a name of its own."""
    module = "promptbus.chaos.control" if plan.control else "promptbus"
    for part, kinds in _KINDS.items():
        for number in range(1, plan.size_of(part) + 1):
            words = [*([] if plan.control else ["actor"]), *kinds]
            yield _member(f"{part}-{number}", module, words, settings)
    yield _member(f"{Part.API}-1", "promptbus", ["api"], settings)


def _member(name: str, module: str, words: list[str], settings: Settings) -> CommandMember:
    folder = settings.data_dir / name
    folder.mkdir(parents=True)
    own = settings.model_copy(update={"data_dir": folder, "executor_name": name})
    return CommandMember(
        name, [sys.executable, "-m", module, *words], own.environment(), settings.data_dir
    )
