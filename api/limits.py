"""What one client may cost this process."""

from dataclasses import dataclass
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Limits of the bridge; bytes and seconds.

    ``max_body_bytes`` also bounds one WebSocket message. ``generate_timeout_s`` is how long a
    direct generation may take, ``max_wait_s`` how long a request may wait for a run's outcome,
    ``send_timeout_s`` how long a client of a socket or an event stream may leave what it was sent
    unread, ``keep_alive_s`` how long an event stream stays silent.
    """

    max_body_bytes: int = MIB
    max_header_bytes: int = 64 * 1024
    body_timeout_s: float = 15.0
    generate_timeout_s: float = 600.0
    default_wait_s: float = 300.0
    max_wait_s: float = 3600.0
    send_timeout_s: float = 5.0
    keep_alive_s: float = 10.0
    probe_timeout_s: float = 2.0
    max_accepted_runs: int = 10_000

    def uvicorn_options(self) -> dict[str, Any]:
        """What ``uvicorn.Config`` must be given for these limits to hold below the application."""
        return {
            "ws_max_size": self.max_body_bytes,
            "h11_max_incomplete_event_size": self.max_header_bytes,
            "timeout_keep_alive": 15,
            # Whoever sits in front must be trusted explicitly, or X-Forwarded-For is anybody's.
            "proxy_headers": False,
            "server_header": False,
            "lifespan": "off",
        }
