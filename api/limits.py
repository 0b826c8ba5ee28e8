"""What one client may cost this process."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from api.http_protocol import BoundedHttp

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Limits of the bridge; bytes and seconds.

    ``max_body_bytes`` also bounds one WebSocket message. A request's line and headers must be
    complete within ``head_timeout_s``, its body within ``body_timeout_s``. ``generate_timeout_s``
    is how long a direct generation may take, ``max_wait_s`` how long a request may wait for a run's
    outcome, ``list_timeout_s`` how long a page of runs may take, ``control_timeout_s`` how long an
    executor may take to load or free a model, ``send_timeout_s`` how long a client of a socket or
    an event stream may leave what it was sent unread, ``keep_alive_s`` how long an event stream
    stays silent.

    Of each API key, and in each process: ``requests_per_minute``, and at once ``max_requests`` and
    ``max_sockets``. Whether the key of something that goes on is still good is looked at every
    ``key_check_s``. ``bad_keys_per_minute`` may be tried from one address.
    """

    max_body_bytes: int = MIB
    max_header_bytes: int = 64 * 1024
    body_timeout_s: float = 15.0
    generate_timeout_s: float = 600.0
    control_timeout_s: float = 900.0
    list_timeout_s: float = 30.0
    default_wait_s: float = 300.0
    max_wait_s: float = 3600.0
    send_timeout_s: float = 5.0
    keep_alive_s: float = 10.0
    probe_timeout_s: float = 2.0
    head_timeout_s: float = 10.0
    requests_per_minute: int = 600
    max_requests: int = 64
    max_sockets: int = 20
    bad_keys_per_minute: int = 60
    key_check_s: float = 2.0

    def uvicorn_options(self) -> dict[str, Any]:
        """What ``uvicorn.Config`` must be given for these limits to hold below the application."""
        return {
            "ws_max_size": self.max_body_bytes,
            # Pieces of text are too small for it to be worth its time and its memory per socket.
            "ws_per_message_deflate": False,
            "http": partial(
                BoundedHttp,
                head_timeout_s=self.head_timeout_s,
                max_head_bytes=self.max_header_bytes,
            ),
            "timeout_keep_alive": 15,
            # Whoever sits in front must be trusted explicitly, or X-Forwarded-For is anybody's.
            "proxy_headers": False,
            "server_header": False,
            "lifespan": "off",
        }
