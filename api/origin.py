"""Which web pages may do something here, and by which name this server is reached; pure."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit


def origin_allowed(origin: str | None, host: str | None, allowed: Collection[str] = ()) -> bool:
    """Whether a page of ``origin`` may connect to this server, reached as ``host``.

    Browsers always send an origin with a WebSocket, programs usually none. Allowed are: none,
    those in ``allowed``, the server's own host and port, and any page of this machine that talks
    to this machine by a loopback name (so that no name rebound to 127.0.0.1 counts).
    """
    if origin is None or origin in allowed:
        return True
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host or ''}")
        page_port, server_port = page.port, server.port
    except ValueError:
        return False
    if page.scheme not in {"http", "https"} or not page.hostname or not server.hostname:
        return False
    if is_loopback(page.hostname) and is_loopback(server.hostname):
        return True
    default_port = 443 if page.scheme == "https" else 80
    same_port = (page_port or default_port) == (server_port or default_port)
    return page.hostname == server.hostname and same_port


def host_allowed(host: str, allowed: Collection[str]) -> bool:
    """Whether a request to ``host`` (with or without a port) is meant for this server.

    Loopback names always are. Another name that leads here, and is not among ``allowed``, was
    bent to this machine by somebody else's name server (DNS rebinding).
    """
    try:
        server = urlsplit(f"//{host}")
        name = server.hostname or ""
        server.port  # noqa: B018 - raises where it is none
    except ValueError:
        return False
    return is_loopback(name) or name in allowed


def check_origin(text: str) -> str:
    """``text`` itself where a browser could send it as an origin.

    Raises: ValueError.
    """
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("must be like https://chat.example, without a path")
    if not parts.hostname or text != text.lower() or parts.username is not None:
        raise ValueError("must be like https://chat.example, in lower case")
    return text


def check_host_name(text: str) -> str:
    """``text`` in lower case where it is a host's name or address alone. Raises: ValueError."""
    name = text.lower()
    if urlsplit(f"//{name}").hostname != name.strip("[]"):
        raise ValueError("must be like bus.example, without a port")
    return name.strip("[]")


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine by itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
