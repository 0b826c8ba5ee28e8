"""What travels in the place of a message that is too large: a claim on where its bytes lie."""

import re
from collections.abc import Mapping
from typing import Final

from contracts.message import Message

# Names the object; the other headers are those of the message itself.
CLAIM_HEADER: Final = "promptbus-claim"

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Claim(Message):
    """The payload of a claimed message: the SHA-256 by which its bytes are stored, and how many."""

    object_sha256: str
    size_bytes: int


def claimed_object(headers: Mapping[str, str]) -> str | None:
    """The digest that ``headers`` claim; None where the payload is the message itself."""
    digest = headers.get(CLAIM_HEADER)
    return digest if digest is not None and _DIGEST.fullmatch(digest) else None
