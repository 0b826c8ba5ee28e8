"""Where a client's key stands in its request; pure.

Programs send ``Authorization: Bearer <key>``. A browser cannot add headers to a WebSocket, so it
may offer the subprotocols ``promptbus`` and ``bearer.<key>`` there; the server picks the first.
A key in a URL is not looked at: addresses end up in logs and histories.
"""

from collections.abc import Iterable
from typing import Final

SUBPROTOCOL: Final = "promptbus"

_BEARER: Final = "bearer "
_OFFERED: Final = "bearer."

Headers = Iterable[tuple[bytes, bytes]]


def token_from_headers(headers: Headers) -> str | None:
    """The bearer token of a request; None where there is none, or more than one."""
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1:
        return None
    text = given[0].decode("latin-1")
    if not text.lower().startswith(_BEARER):
        return None
    return text[len(_BEARER) :].strip() or None


def token_from_subprotocols(offered: Iterable[str]) -> str | None:
    """The key among the subprotocols a browser offers."""
    found = [one.removeprefix(_OFFERED) for one in offered if one.startswith(_OFFERED)]
    return found[0] if len(found) == 1 else None
