"""Whether a request is sent again, and after how long; pure."""

import re
from typing import Final

FIRST_DELAY_S: Final = 0.25
LONGEST_DELAY_S: Final = 8.0
# A server that asks for more patience than this is left to the cooldown instead.
MAX_RETRY_AFTER_S: Final = 10.0
# With a fallback waiting, all tries together may take no longer than this.
PATIENCE_WITH_FALLBACK_S: Final = 0.5

_SECONDS = re.compile(r"[0-9]{1,8}(?:\.[0-9]{1,6})?")


def retry_delay_s(
    num_failed: int,
    *,
    max_retries: int,
    retry_after_s: float | None,
    elapsed_s: float,
    has_fallback: bool,
    jitter: float,
) -> float | None:
    """Seconds to wait before try ``num_failed + 1``, or None to give up.

    Doubles from try to try, less up to a half by ``jitter`` (0 to 1), so that many who failed
    together do not come back together; ``retry_after_s`` is the server's own wish, and the least.
    """
    if num_failed > max_retries:
        return None
    delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(num_failed - 1, 16))
    delay_s *= 1.0 - jitter / 2
    if retry_after_s is not None:
        if retry_after_s > MAX_RETRY_AFTER_S:
            return None
        delay_s = max(delay_s, retry_after_s)
    if has_fallback and elapsed_s + delay_s > PATIENCE_WITH_FALLBACK_S:
        return None
    return delay_s


def parse_retry_after(value: str | None) -> float | None:
    """The seconds of a ``Retry-After`` header; None where there is none that says seconds."""
    text = (value or "").strip()
    return float(text) if _SECONDS.fullmatch(text) else None
