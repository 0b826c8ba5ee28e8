"""The idempotency key of a request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import HTTPConnection

from contracts.errors import InvalidInput
from contracts.idempotency import HEADER, check_idempotency_key


@dataclass(frozen=True, slots=True)
class Idempotency:
    """``key`` is None where the client gave none; keys of different ``owner`` never meet."""

    key: str | None = None
    owner: str = ""


async def get_idempotency(
    connection: HTTPConnection,
    _documented: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="the same key is the same run; with another body it is refused (422)",
        ),
    ] = None,
) -> Idempotency:
    """The key of the request, checked.

    Raises: InvalidInput where it is malformed or there are several.
    """
    given = connection.headers.getlist(HEADER)
    if len(given) > 1:
        raise InvalidInput(field=HEADER, reason="is given more than once")
    key = check_idempotency_key(given[0]) if given else None
    return Idempotency(key, owner_of(connection))


def owner_of(connection: HTTPConnection) -> str:
    """Whose keys those of this client are: its API key's, where the server asks for one."""
    key_id: str = connection.scope.get("state", {}).get("key_id", "")
    return key_id


IdempotencyDep = Annotated[Idempotency, Depends(get_idempotency)]
