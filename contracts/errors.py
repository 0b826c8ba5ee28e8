"""Every error of promptbus: one root, data as attributes, and the form in which it travels.

A class says what happened, its attributes say where, ``cure`` says what a person can do. An error
that crosses the bus or HTTP does so as :class:`ErrorInfo` and never carries the input it is about.
"""

from typing import Any, ClassVar

from contracts.message import Message

# A foreign error may quote whole files; on the bus an error stays a sentence.
MAX_ERROR_CHARS = 2000


class ErrorInfo(Message):
    """The wire form of an error."""

    code: str
    message: str
    retryable: bool = False
    status: int = 500
    field: str | None = None
    limit: float | None = None
    cure: str | None = None


class PromptbusError(Exception):
    """Root of all errors that promptbus raises on purpose.

    Attributes: ``code`` stable name for programs; ``status`` the HTTP status it becomes;
    ``retryable`` whether the same call may succeed later; ``patient`` whether it is worth waiting
    for as long as the step may take; ``cure`` what a person can do.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    patient: ClassVar[bool] = False

    def __init__(self, message: str, *, cure: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def to_wire(self) -> ErrorInfo:
        """What travels instead of the exception."""
        field: str | None = getattr(self, "field", None)
        return ErrorInfo(
            code=self.code,
            message=_wire_text(self.message),
            retryable=self.retryable,
            status=self.status,
            cure=_wire_text(self.cure) if self.cure else None,
            field=_wire_text(field) if field else None,
            limit=getattr(self, "limit", None),
        )


def _wire_text(text: str) -> str:
    """``text`` without lone surrogates, which no JSON can carry, and cut to a bearable length."""
    return text[:MAX_ERROR_CHARS].encode(errors="replace").decode()


class InvalidInput(PromptbusError):
    """A field of a request is missing, malformed or out of range."""

    code = "invalid_input"
    status = 422

    def __init__(
        self, *, field: str, reason: str, limit: float | None = None, cure: str | None = None
    ) -> None:
        super().__init__(f"{field}: {reason}", cure=cure)
        self.field = field
        self.reason = reason
        self.limit = limit


class InvalidJson(PromptbusError):
    """The bytes are not the JSON object that was expected."""

    code = "invalid_json"
    status = 400


class MalformedMessage(PromptbusError):
    """A message on the bus is not one of ours."""

    code = "malformed_message"
    status = 400

    def __init__(self, *, subject: str, reason: str, field: str | None = None) -> None:
        super().__init__(f"{subject}: {reason}")
        self.subject = subject
        self.reason = reason
        self.field = field


class MessageTooLarge(PromptbusError):
    """A message exceeds what the bus carries."""

    code = "message_too_large"
    status = 413

    def __init__(self, *, size_bytes: int, max_bytes: int, what: str = "message") -> None:
        super().__init__(
            f"{what} of {size_bytes} bytes is over the limit of {max_bytes} bytes",
            cure="shorten the prompt or lower max_tokens",
        )
        self.size_bytes = size_bytes
        self.limit = float(max_bytes)


class UnknownModel(InvalidInput):
    """No entry of that name in the model registry, or no executor that serves it."""

    code = "unknown_model"

    def __init__(self, *, model: str, known: tuple[str, ...]) -> None:
        names = ", ".join(known) or "none"
        super().__init__(
            field="model",
            reason=f"unknown model {model[:80]!r}",
            cure=f"choose one of: {names}; or add an entry to the model registry file",
        )
        self.model = model
        self.known = known


class UnknownStrategy(InvalidInput):
    """The model does not run with that strategy."""

    code = "unknown_strategy"

    def __init__(self, *, strategy: str, known: tuple[str, ...]) -> None:
        super().__init__(
            field="strategy",
            reason=f"unknown strategy {strategy[:80]!r}",
            cure=f"choose one of: {', '.join(known)}",
        )
        self.strategy = strategy
        self.known = known


class UnknownRun(PromptbusError):
    """No journal exists for that run id."""

    code = "unknown_run"
    status = 404

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"no run {run_id[:40]}", cure="list the runs there are: promptbus run list"
        )
        self.run_id = run_id


class RunFinished(PromptbusError):
    """The run has its outcome already; it can no longer be changed."""

    code = "already_final"
    status = 409

    def __init__(self, run_id: str, outcome: str) -> None:
        super().__init__(f"run {run_id} is already {outcome}")
        self.run_id = run_id


class DeadlineExceeded(PromptbusError):
    """A step or a run took longer than it was allowed to."""

    code = "deadline_exceeded"
    status = 504
    retryable = True

    def __init__(self, *, what: str, deadline_s: float, cure: str | None = None) -> None:
        super().__init__(f"{what} had no result within {deadline_s:g} s", cure=cure)
        self.limit = deadline_s


class Cancelled(PromptbusError):
    """The work was stopped because its run was cancelled."""

    code = "cancelled"
    status = 409


class ProviderFailed(PromptbusError):
    """A provider could not generate; another attempt may succeed."""

    code = "provider_failed"
    status = 502
    retryable = True

    def __init__(self, *, provider: str, reason: str, cure: str | None = None) -> None:
        super().__init__(f"provider {provider}: {reason}", cure=cure)
        self.provider = provider


class ModelLoadFailed(PromptbusError):
    """The checkpoint cannot be loaded on this host."""

    code = "model_load_failed"
    status = 503

    def __init__(self, *, model: str, reason: str, cure: str | None = None) -> None:
        super().__init__(f"model {model}: {reason}", cure=cure)
        self.model = model


class OutOfMemory(PromptbusError):
    """A device ran out of memory though all that may leave it had left."""

    code = "out_of_memory"
    status = 503

    def __init__(self, *, model: str, device: str, reason: str) -> None:
        super().__init__(
            f"model {model} on {device}: {reason}",
            cure="choose a smaller model, the strategy `optimized`, fewer max_tokens, "
            "or unload others",
        )
        self.model = model
        self.device = device


class DoesNotFit(PromptbusError):
    """The model fits on no host, whatever else left it; says by how much, per host."""

    code = "does_not_fit"
    status = 503

    def __init__(self, *, model: str, needed_bytes: int, shortfalls: tuple[str, ...]) -> None:
        super().__init__(
            f"model {model} fits nowhere: {'; '.join(shortfalls) or 'there is no host'}",
            cure="choose a smaller model or the strategy `optimized`, raise the memory budget "
            "of an executor, or start one on a bigger machine",
        )
        self.model = model
        self.needed_bytes = needed_bytes
        self.shortfalls = shortfalls


class NoExecutor(PromptbusError):
    """No executor is present that could serve the run."""

    code = "no_executor"
    status = 503
    retryable = True
    patient = True

    def __init__(self, reason: str = "no executor has announced itself") -> None:
        super().__init__(reason, cure="start one: promptbus actor executor --nats-url …")


class BusUnavailable(PromptbusError):
    """NATS did not answer in time; nothing was accepted."""

    code = "bus_unavailable"
    status = 503
    retryable = True


class BusDenied(PromptbusError):
    """NATS refused the operation for lack of permission."""

    code = "bus_denied"
    status = 503

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"permission violation on {subject}",
            cure="grant this user the subject in the NATS account",
        )
        self.subject = subject


class QueueFull(PromptbusError):
    """A stream reached its limit and takes no new messages; nothing was accepted."""

    code = "queue_full"
    status = 503
    retryable = True


class TopologyDrift(PromptbusError):
    """A stream, consumer or bucket exists with another configuration than the declared one."""

    code = "topology_drift"

    def __init__(self, *, what: str, field: str, expected: Any, found: Any) -> None:
        super().__init__(
            f"{what}: {field} is {found!r}, expected {expected!r}",
            cure="run `promptbus doctor`, then change it by hand or use another data folder",
        )
        self.field = field


class StreamLost(PromptbusError):
    """A stream that holds what is nowhere else has vanished from the server."""

    code = "stream_lost"
    status = 503

    def __init__(self, *, stream: str, witness: str) -> None:
        super().__init__(
            f"stream {stream} has vanished: {witness}, which is made after it, is there",
            cure=f"restore it from a backup (nats stream restore); or accept that all runs are "
            f"lost, remove {witness} and the other streams too, and start again",
        )
        self.stream = stream


class NotReady(PromptbusError):
    """A part that this process needs is missing on this machine."""

    code = "not_ready"
    status = 503


class Unexpected(PromptbusError):
    """A fault nobody foresaw, wrapped where it crossed a boundary."""

    code = "unexpected"
    retryable = True

    def __init__(self, exc: BaseException) -> None:
        super().__init__(f"{type(exc).__name__}: {exc}"[:500])


class RemoteError(PromptbusError):
    """An error that arrived in its wire form; ``info`` holds all that is known of it."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message, cure=info.cure)
        self.info = info

    def to_wire(self) -> ErrorInfo:
        """The wire form as it arrived."""
        return self.info
