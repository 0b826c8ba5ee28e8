"""A run as lists show it: one row of the projection."""

from datetime import datetime

from contracts.event import RunState
from contracts.message import Message


class RunRow(Message):
    """What the projection knows of a run.

    In lists ``prompt`` and ``output`` are cut to their beginning, so that a page of rows fits a
    message of the bus; a single row has them whole. ``total_tokens`` is that of the latest
    generation until the summarizer has counted the whole run. ``last_sequence`` is the place in
    the stream of the newest event seen.
    """

    run_id: str
    session_id: str | None = None
    state: RunState = "running"
    prompt: str = ""
    output: str | None = None
    title: str | None = None
    summary: str | None = None
    task_type: str | None = None
    language: str | None = None
    selected_model: str | None = None
    score: int | None = None
    total_tokens: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_sequence: int
