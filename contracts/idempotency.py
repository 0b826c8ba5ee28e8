"""The same key is the same run: run ids from keys, and what tells one request from another; pure.

The id of a keyed run is a UUIDv8 (RFC 9562 section 5.8) of the key, so every process finds the same
one without asking anybody. Such ids do not sort by time.
"""

import hashlib
import json
import re
from typing import Final

from pydantic import BaseModel

from contracts.errors import InvalidInput, PromptbusError

MAX_KEY_CHARS: Final = 255
HEADER: Final = "Idempotency-Key"

_KEY = re.compile(r"[\x20-\x7e]+")
# What differs between two submissions of the same request.
_NOT_OF_THE_REQUEST: Final = frozenset({"run_id", "replay_of", "attempt", "ask", "timeout_s"})


class IdempotencyMismatch(PromptbusError):
    """The key belongs to a run that was submitted with another body."""

    code = "idempotency_mismatch"
    status = 422

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"this idempotency key belongs to run {run_id}, whose request was another",
            cure="use a new key for a new request, or send the same one again",
        )
        self.field = HEADER
        self.run_id = run_id


def check_idempotency_key(key: str) -> str:
    """``key`` itself when it is one.

    Raises: InvalidInput when it is empty, over 255 characters, or not printable ASCII.
    """
    if len(key) > MAX_KEY_CHARS:
        reason = f"is longer than {MAX_KEY_CHARS} characters"
        raise InvalidInput(field=HEADER, reason=reason, limit=MAX_KEY_CHARS)
    if not key.strip() or not _KEY.fullmatch(key):
        raise InvalidInput(field=HEADER, reason="must be printable ASCII, and not blank")
    return key


def keyed_run_id(key: str, owner: str = "") -> str:
    """The run that ``key`` stands for among those of ``owner``.

    Raises: InvalidInput for what is no key.
    """
    text = "\x00".join(("idempotency", owner, check_idempotency_key(key)))
    value = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    value = value & ~(0xF << 76) | 0x8 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"


def request_digest(request: BaseModel, *parts: str) -> str:
    """SHA-256 of what a request asks for, in hex; spelling and order of its JSON do not matter.

    Fields at their default are left out, so that a release that adds one tells the same.
    """
    fields = request.model_dump(
        mode="json", exclude=set(_NOT_OF_THE_REQUEST), exclude_defaults=True, exclude_none=True
    )
    text = json.dumps([fields, *parts], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
