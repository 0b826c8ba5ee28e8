"""Which addresses a registry may name for a remote server; pure."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

# Names that no public name server answers: RFC 6762, RFC 6761, RFC 8375, and ICANN's `.internal`.
_PRIVATE_SUFFIXES: Final = (".local", ".localhost", ".internal", ".home.arpa")
_MAX_PORT: Final = 65535


def find_fault(base_url: str, *, allow_insecure: bool) -> str | None:
    """Why ``base_url`` is refused, in a few words; None for one that may be used.

    It is https, or with ``allow_insecure`` http to this machine or a private network, so that no
    key and no prompt ever crosses a public network in the clear. The name of a host counts as
    private where no public name server would answer it.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "must be http(s)://host[:port]/path"
    if parts.username is not None or parts.password is not None:
        return "must not hold a log-in; name the key's variable in api_key_env"
    if parts.query or parts.fragment or not base_url.isascii() or not base_url.isprintable():
        return "must be a plain URL without query and fragment"
    if port is not None and not 0 < port <= _MAX_PORT:
        return "has a port that is none"
    if parts.scheme == "https":
        return None
    if not is_private(parts.hostname):
        return "must be https: its host is not on a private network"
    return None if allow_insecure else "is not encrypted"


def is_private(host: str) -> bool:
    """Whether ``host`` is this machine or on a private network, by its address or its name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.lower().rstrip(".")
        if "." not in name:
            # Digits alone are an old way to write an address.
            return not name.isdecimal() and not name.startswith("0x")
        return name.endswith(_PRIVATE_SUFFIXES)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    special = address.is_link_local or address.is_multicast or address.is_unspecified
    return not address.is_global and not special
