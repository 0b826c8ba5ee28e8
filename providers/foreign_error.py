"""Exceptions of libraries as promptbus's own, without the paths of this machine."""

import re

from contracts.errors import ProviderFailed

MAX_REASON_CHARS = 300

_PATH = re.compile(r"(?:[A-Za-z]:)?[/\\](?:[^\s'\"/\\:,]+[/\\])+([^\s'\"/\\:,]+)")


def describe(exc: BaseException) -> str:
    """One line on ``exc``: its class and first line, folders cut off; pure."""
    first_line = next((line.strip() for line in str(exc).splitlines() if line.strip()), "")
    text = _PATH.sub(r"\1", first_line)
    name = type(exc).__name__
    return (f"{name}: {text}" if text else name)[:MAX_REASON_CHARS]


def as_provider_failed(provider: str, exc: Exception) -> ProviderFailed:
    """``exc`` as it leaves the gateway, with a cure where one is known."""
    return ProviderFailed(provider=provider, reason=describe(exc), cure=_cure(exc))


def _cure(exc: Exception) -> str | None:
    if isinstance(exc, MemoryError) or type(exc).__name__ == "OutOfMemoryError":
        return "choose a smaller model, the strategy `optimized`, or fewer max_tokens"
    return None
