"""Which run the code at hand works for, so that a log line can name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_RUN_ID: ContextVar[str | None] = ContextVar("promptbus_run_id", default=None)


def current_run_id() -> str | None:
    """The run that is worked for here; None outside of any."""
    return _RUN_ID.get()


@contextmanager
def working_for(run_id: str) -> Iterator[None]:
    """Whatever is done within the block, and by tasks begun in it, is done for that run."""
    token = _RUN_ID.set(run_id)
    try:
        yield
    finally:
        _RUN_ID.reset(token)
