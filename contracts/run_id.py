"""Run ids: UUIDv7 in 32 hex digits, sortable by time, usable as a W3C trace id."""

import hashlib
import re
import secrets
import time
from typing import Annotated

from pydantic import StringConstraints

from contracts.errors import InvalidInput

RUN_ID_PATTERN = r"^[0-9a-f]{32}$"
_RUN_ID = re.compile(RUN_ID_PATTERN)

RunId = Annotated[str, StringConstraints(pattern=RUN_ID_PATTERN)]


def new_run_id() -> str:
    """A fresh UUIDv7 (RFC 9562 section 5.7) as 32 hex digits."""
    return _uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10))


def derive_run_id(time_ms: int, *parts: str) -> str:
    """The same UUIDv7 for the same arguments.

    A prompt published without a run id gets the id that follows from its place in the stream,
    so that every redelivery of it leads the same run.

    Parameters: ``time_ms`` milliseconds since the epoch; ``parts`` what tells this prompt apart.
    """
    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    return _uuid7(time_ms, digest[:10])


def made_at_ms(run_id: str) -> int:
    """When a UUIDv7 says it was made, in milliseconds since the epoch; any other id says nothing.

    Some of our ids are derived from a time that was not theirs: whoever asks compares.
    """
    return int(run_id[:12], 16)


def check_run_id(value: str) -> str:
    """``value`` itself when it is a run id.

    Raises: InvalidInput when it is not; the value is never echoed.
    """
    if not _RUN_ID.fullmatch(value):
        raise InvalidInput(field="run_id", reason="must be 32 lower-case hex digits")
    return value


def _uuid7(time_ms: int, random: bytes) -> str:
    value = (time_ms & ((1 << 48) - 1)) << 80 | int.from_bytes(random, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"
