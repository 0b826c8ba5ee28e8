"""Which scopes open which address; pure.

One table for all routes, so that a new one is closed until somebody opens it: what is not listed
needs ``read`` to be looked at and ``admin`` for all else.
"""

import re
from typing import Any, Final

from contracts.api_key import Scope

Scopes = frozenset[Scope]

SOCKET: Final = "WEBSOCKET"
_SCHEME: Final = "apiKey"
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

_SUBMIT: Final = frozenset({Scope.SUBMIT})
_READ: Final = frozenset({Scope.READ})
_ADMIN: Final = frozenset({Scope.ADMIN})
_ANY: Final = frozenset({Scope.SUBMIT, Scope.READ})

# What says nothing of prompts: that the server is there, and how to talk to it.
OPEN_PATHS: Final = frozenset(
    {"/", "/health", "/health/live", "/docs", "/docs/style.css", "/openapi.json", "/favicon.ico"}
)

# What the page is made of.
_OPEN_PREFIX: Final = "/assets/"

# The first row that fits counts.
_TABLE: Final[tuple[tuple[str, re.Pattern[str], Scopes], ...]] = (
    ("POST", re.compile(r"/orchestrator/runs?/?"), _SUBMIT),
    ("POST", re.compile(r"/orchestrator/runs/[^/]*/cancel"), _SUBMIT),
    (SOCKET, re.compile(r"/orchestrator/ws"), _SUBMIT),
    ("POST", re.compile(r"/inference/?"), _SUBMIT),
    ("POST", re.compile(r"/v1/(chat/)?completions"), _SUBMIT),
    ("GET", re.compile(r"(/v1|/inference)?/models(/.*)?"), _ANY),
    # The rest of OpenAI's addresses, which are answered with what there is instead.
    ("*", re.compile(r"/v1/.*"), _ANY),
    (SOCKET, re.compile(r".*", re.DOTALL), _READ),
)


def needed_scopes(method: str, path: str) -> Scopes | None:
    """Any one of these opens ``path``; None where no key is needed.

    ``method`` is HTTP's, or ``SOCKET`` for a WebSocket.
    """
    is_looking = method in SAFE_METHODS
    if is_looking and (path in OPEN_PATHS or path.startswith(_OPEN_PREFIX)):
        return None
    asked = "GET" if is_looking else method
    for of_method, pattern, scopes in _TABLE:
        if of_method in {asked, "*"} and pattern.fullmatch(path):
            return scopes
    return _READ if is_looking else _ADMIN


def declare_security(document: dict[str, Any]) -> None:
    """Say in an OpenAPI ``document`` which operations need a key, and with which scope."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scopes = needed_scopes(method.upper(), path)
            operation["security"] = [] if scopes is None else [{_SCHEME: []}]
            if scopes is not None:
                operation["x-scopes"] = sorted(scopes)
