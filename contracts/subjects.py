"""The only place where a NATS subject is built or parsed.

Names from outside (model keys above all) are encoded into one subject token: letters, digits,
``-`` and ``_`` stand for themselves, every other UTF-8 byte becomes ``=HH``. So a key with
slashes, dots, spaces or stars can neither split a subject nor widen a subscription.
"""

import hashlib
import re
from dataclasses import dataclass

from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput
from contracts.prompt import Priority
from contracts.run_id import check_run_id

MAX_TOKEN_BYTES = 600
# The server takes consumer names of 255 bytes; a longer token is named by its digest.
MAX_NAME_BYTES = 200
# Far beyond any real one, and short enough to keep every subject below the server's limit.
MAX_ATTEMPT = 1_000_000

TASKS_ALL = "tasks.>"
RUNS_ALL = "runs.>"
STORED_PREFIX = "stored."
STORED_RUNS_ALL = "stored.runs.>"
STORED_CANCELS = "stored.runs.*.cancel"
STORED_OUTCOMES = "stored.runs.*.outcome"
OUTCOMES_ALL = "runs.*.outcome"
FIRST_GENERATIONS_ALL = f"runs.*.{ActorKind.EXECUTOR}.1"
TOKENS_ALL = "tokens.*.*"
WAITS_ALL = "waits.*"
SPANS_ALL = "spans.*"
DEAD_ALL = "dead.*"

SUBMITTED = "submitted"
STARTED = "started"
CANCEL = "cancel"
OUTCOME = "outcome"

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_TOKEN = re.compile(r"(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
_ATTEMPT = re.compile(r"[1-9][0-9]{0,6}")
_NODES = frozenset(ActorKind)
_PRIORITIES = frozenset(Priority)
_ESCAPE = re.compile(rb"=([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class RunSubject:
    """A parsed ``runs.<run_id>.…`` subject; ``attempt`` is 0 for run events."""

    run_id: str
    node: str
    attempt: int = 0

    @property
    def step(self) -> str:
        """``<node>/<attempt>``, or the node alone for events of the run itself."""
        return f"{self.node}/{self.attempt}" if self.attempt else self.node


def encode_token(name: str) -> str:
    """``name`` as one subject token.

    Raises: InvalidInput when it is empty, not Unicode text, or too long.
    """
    try:
        raw = name.encode()
    except UnicodeEncodeError as exc:
        raise InvalidInput(field="name", reason="is not valid Unicode") from exc
    token = "".join(chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in raw)
    if not 0 < len(token) <= MAX_TOKEN_BYTES:
        raise InvalidInput(field="name", reason="is empty or too long", limit=MAX_TOKEN_BYTES)
    return token


def decode_token(token: str) -> str:
    """The name behind a token that :func:`encode_token` made.

    Raises: InvalidInput for any other text.
    """
    if not _TOKEN.fullmatch(token):
        raise InvalidInput(field="subject", reason="is not one of promptbus")
    raw = _ESCAPE.sub(lambda found: bytes([int(found.group(1), 16)]), token.encode())
    try:
        name = raw.decode()
    except UnicodeDecodeError as exc:
        raise InvalidInput(field="subject", reason="is not one of promptbus") from exc
    if encode_token(name) != token:
        raise InvalidInput(field="subject", reason="is not one of promptbus")
    return name


def prompts(priority: Priority, run_id: str | None = None) -> str:
    """Where a prompt of that priority is submitted.

    Under its ``run_id`` it can be found as long as its run has no outcome.
    """
    return f"prompts.{priority}.{check_run_id(run_id)}" if run_id else f"prompts.{priority}"


def prompts_named(priority: Priority) -> str:
    """The prompts of that priority that were submitted under their run ids."""
    return f"prompts.{priority}.*"


def prompt_of_run(run_id: str) -> str:
    """The prompt of one run, whatever its priority."""
    return f"prompts.*.{check_run_id(run_id)}"


def tasks(actor: ActorKind) -> str:
    """Where tasks for that kind of actor wait (the executor has a queue per model)."""
    return f"tasks.{actor}"


def executor_tasks(model: str, priority: Priority) -> str:
    """Where generations with ``model`` wait."""
    return f"tasks.{ActorKind.EXECUTOR}.{encode_token(model)}.{priority}"


EXECUTOR_TASKS_ALL = f"tasks.{ActorKind.EXECUTOR}.*.*"


def executor_consumer(model: str, priority: Priority) -> str:
    """Name of the durable consumer of one model's queue of one priority."""
    token = encode_token(model)
    if len(token) > MAX_NAME_BYTES:
        # No token holds a lone "=", so a digest is never the name of another model.
        token = f"={hashlib.sha256(token.encode()).hexdigest()}"
    return f"{ActorKind.EXECUTOR}-{token}-{priority}"


def step_event(run_id: str, node: ActorKind, attempt: int) -> str:
    """Where the one result of that step is written."""
    return f"runs.{check_run_id(run_id)}.{node}.{_check_attempt(attempt)}"


def run_event(run_id: str, name: str) -> str:
    """Where an event of the run itself is written: submitted, started, cancel or outcome."""
    return f"runs.{check_run_id(run_id)}.{name}"


def run_journal(run_id: str) -> str:
    """All events of one run."""
    return f"runs.{check_run_id(run_id)}.>"


def stored(subject: str) -> str:
    """Where RUNS republishes an event of ``subject`` once it is stored."""
    return f"{STORED_PREFIX}{subject}"


def probe(stream: str) -> str:
    """Where a write shows that ``stream`` takes any; outside of what anybody reads."""
    return f"probe.{stream}"


def tokens(run_id: str, attempt: int) -> str:
    """Where the text of one attempt streams."""
    return f"tokens.{check_run_id(run_id)}.{_check_attempt(attempt)}"


def tokens_of_run(run_id: str) -> str:
    """The text of all attempts of a run."""
    return f"tokens.{check_run_id(run_id)}.*"


def waits(run_id: str) -> str:
    """Where it is told why a run waits."""
    return f"waits.{check_run_id(run_id)}"


def spans(trace_id: str) -> str:
    """Where the spans of one trace are sent."""
    return f"spans.{check_run_id(trace_id)}"


def dead(actor: ActorKind) -> str:
    """Where the dead letters of that kind of actor lie."""
    return f"dead.{actor}"


def dead_edited(letter_id: int) -> str:
    """Where another payload for that letter stands; the last one counts."""
    return f"dead.edited-{letter_id}"


def dead_settled(letter_id: int) -> str:
    """Where it stands what became of that letter; written once."""
    return f"dead.settled-{letter_id}"


def call(actor: ActorKind, name: str | None = None) -> str:
    """Where actors of that kind are called: any of them, or the one of that name."""
    return f"call.{actor}.{encode_token(name)}" if name else f"call.{actor}"


def parse_run(subject: str) -> RunSubject:
    """Parse ``runs.…`` or ``stored.runs.…``.

    Raises: InvalidInput when it is neither.
    """
    parts = subject.removeprefix(STORED_PREFIX).split(".")
    match parts:
        case ["runs", run_id, ("submitted" | "started" | "cancel" | "outcome") as name]:
            return RunSubject(check_run_id(run_id), name)
        case ["runs", run_id, node, attempt] if node in _NODES and _ATTEMPT.fullmatch(attempt):
            return RunSubject(check_run_id(run_id), node, _check_attempt(int(attempt)))
    raise InvalidInput(field="subject", reason="is not an event of a run")


def parse_prompts(subject: str) -> Priority:
    """The priority of a ``prompts.…`` subject.

    Raises: InvalidInput for any other subject.
    """
    match subject.split("."):
        case ["prompts", priority] if priority in _PRIORITIES:
            return Priority(priority)
        case ["prompts", priority, run_id] if priority in _PRIORITIES:
            check_run_id(run_id)
            return Priority(priority)
    raise InvalidInput(field="subject", reason="is not a queue of prompts")


def parse_executor_tasks(subject: str) -> tuple[str, Priority]:
    """Model and priority of a ``tasks.executor.…`` subject.

    Raises: InvalidInput for any other subject.
    """
    match subject.split("."):
        case ["tasks", "executor", model, priority] if priority in _PRIORITIES:
            return decode_token(model), Priority(priority)
    raise InvalidInput(field="subject", reason="is not a queue of an executor")


def parse_tokens(subject: str) -> tuple[str, int]:
    """Run id and attempt of a ``tokens.…`` subject.

    Raises: InvalidInput for any other subject.
    """
    match subject.split("."):
        case ["tokens", run_id, attempt] if _ATTEMPT.fullmatch(attempt):
            return check_run_id(run_id), _check_attempt(int(attempt))
    raise InvalidInput(field="subject", reason="is not a token stream")


def _check_attempt(attempt: int) -> int:
    if not 1 <= attempt <= MAX_ATTEMPT:
        raise InvalidInput(field="attempt", reason="is out of range", limit=MAX_ATTEMPT)
    return attempt
