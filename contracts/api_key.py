"""API keys: what one may do, and how it is kept so that who reads the store cannot use it."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

from contracts.message import Message

_KEY_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_TOKEN: Final = re.compile(r"pb_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key allows: submit prompts, read runs and the system, change the system."""

    SUBMIT = "submit"
    READ = "read"
    ADMIN = "admin"


class ApiKey(Message):
    """A key as it is stored.

    Only the SHA-256 of its secret is kept: with 256 random bits there is nothing to guess, so no
    slow hash is needed. ``admin`` among the ``scopes`` stands for all of them.
    """

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    secret_sha256: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        """Whether it opens anything at ``now``: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, wanted: Iterable[Scope]) -> bool:
        """Whether it has any of the ``wanted`` scopes."""
        return Scope.ADMIN in self.scopes or any(scope in self.scopes for scope in wanted)

    def matches(self, token: str) -> bool:
        """Whether ``token`` is this key; takes the same time wherever it differs."""
        found = _TOKEN.fullmatch(token)
        secret = found.group(2) if found else ""
        return hmac.compare_digest(_sha256(secret), self.secret_sha256)


def new_api_key(
    name: str, scopes: Iterable[Scope], *, now: datetime, expires_at: datetime | None = None
) -> tuple[str, ApiKey]:
    """A fresh token, which nobody can show again, and the key as it is stored."""
    key_id, secret = secrets.token_hex(_KEY_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    key = ApiKey(
        key_id=key_id,
        name=name,
        scopes=tuple(dict.fromkeys(scopes)),
        secret_sha256=_sha256(secret),
        created_at=now,
        expires_at=expires_at,
    )
    return f"pb_{key_id}_{secret}", key


def key_id_of(token: str) -> str | None:
    """Which key ``token`` claims to be; None where it cannot be one."""
    found = _TOKEN.fullmatch(token)
    return found.group(1) if found else None


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
