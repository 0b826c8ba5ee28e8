"""Whether a stream takes writes, told by writing: a stream may look well and take none."""

from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

from bus.connection import Connection
from contracts import subjects
from contracts.errors import BusUnavailable

# What a probe wrote is gone a moment later.
_TTL_S = 1


async def probe_write(connection: Connection, stream: str, *, timeout_s: float) -> None:
    """Write to ``stream`` where nobody reads, and wait until it is stored on a majority.

    Raises: BusUnavailable with the reason.
    """
    try:
        await connection.jetstream.publish(
            subjects.probe(stream), b"", stream=stream, timeout=timeout_s, msg_ttl=_TTL_S
        )
    except NoStreamResponseError as exc:
        raise BusUnavailable(f"{stream} is not there, or has no leader") from exc
    except APIError as exc:
        raise BusUnavailable(f"{stream} takes no writes: {exc.description}") from exc
    except (NatsError, TimeoutError) as exc:
        raise BusUnavailable(f"{stream} stored nothing within {timeout_s:g} s") from exc
