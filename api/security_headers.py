"""What every response tells browsers, so that a page of ours can only do what it is meant to."""

from typing import Final

RawHeaders = list[tuple[bytes, bytes]]

# No script, style, frame or request that is not this server's own; nobody may frame it.
CONTENT_POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

_ALWAYS: Final[RawHeaders] = [
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
# Answers hold prompts, and belong to the key they were asked with.
_UNLESS_GIVEN: Final = (b"cache-control", b"no-store")


def secured(headers: RawHeaders) -> RawHeaders:
    """``headers`` of a response, and ours."""
    is_given = any(name.lower() == _UNLESS_GIVEN[0] for name, _ in headers)
    return [*headers, *_ALWAYS] if is_given else [*headers, *_ALWAYS, _UNLESS_GIVEN]
