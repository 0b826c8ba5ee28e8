"""What ``promptbus doctor`` finds out about the bus."""

import json
from pathlib import Path

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from bus.connection import BusAddress, Connection
from bus.room import Room
from bus.topology import RUNS, declare, ensure
from contracts.stream_usage import ALARM_FRACTION, alarms
from promptbus.check import Check, broken, ok, warning
from promptbus.endpoint import read_endpoint
from promptbus.nats_server import CONFIG_NAME, STORE_NAME
from promptbus.settings import Settings

CONNECT_S = 3.0


async def look_at_bus(settings: Settings) -> list[Check]:
    """The server, its streams, how full they are and how safe."""
    endpoint = read_endpoint(settings.data_dir)
    address = settings.address() or (endpoint.address() if endpoint else None)
    if address is None:
        return []
    is_embedded = endpoint is not None and endpoint.nats_urls == address.urls
    return [
        *await _bus(address, settings),
        *([_synced_storage(settings.data_dir)] if is_embedded else []),
    ]


async def _bus(address: BusAddress, settings: Settings) -> list[Check]:
    name = "nats"
    connection = Connection(address, "promptbus/doctor")
    await connection.connect(CONNECT_S)
    try:
        found = f"{connection.client.connected_server_version} at {', '.join(address.urls)}"
        if connection.max_payload_bytes < 1 << 20:
            cure = "set max_payload of the NATS server to 1MB or more"
            return [broken(name, f"{found}, takes {connection.max_payload_bytes} bytes", cure)]
        try:
            await connection.jetstream.stream_info(RUNS)
        except NotFoundError:
            cure = "start an actor there: it makes them"
            return [warning(name, f"{found}, without the streams of promptbus", cure)]
        await ensure(
            connection.jetstream,
            declare(num_replicas=settings.nats_replicas, lease_s=settings.lease_s),
        )
        room = await _room(connection)
    except (NatsError, TimeoutError) as exc:
        reason = f"{found}, but JetStream does not answer ({type(exc).__name__})"
        return [broken(name, reason, "start the server with JetStream: nats-server -js")]
    finally:
        await connection.close()
    return [ok(name, f"{found}, streams as declared"), room]


async def _room(connection: Connection) -> Check:
    name = "room in streams"
    full = alarms(await Room(connection).read())
    if not full:
        return ok(name, f"none of them is over {ALARM_FRACTION:.0%}")
    found = "; ".join(one.describe() for one in full)
    cure = "raise their limits (nats stream edit), or settle what lies in them: promptbus dead list"
    return warning(name, found, cure)


def _synced_storage(data_dir: Path) -> Check:
    name = "synced storage"
    config = json.loads((data_dir / STORE_NAME / CONFIG_NAME).read_text(encoding="utf-8"))
    if config["jetstream"].get("sync_interval") == "always":
        return ok(name, "a message is on disk before it is acknowledged")
    cure = "unset PROMPTBUS_DURABILITY and start promptbus again"
    return warning(name, "off: a power cut may lose acknowledged prompts", cure)
