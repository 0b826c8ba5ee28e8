"""What went wrong with a remote server, as an error that names cause and cure; pure.

Nothing that a server wrote is repeated but short codes: it may quote the prompt, or the key.
"""

import re
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import openai

from contracts.errors import DeadlineExceeded, InvalidInput, PromptbusError, ProviderFailed
from providers.foreign_error import as_provider_failed
from providers.openai.retry import parse_retry_after
from providers.provider_error import AnswerBrokeOff, ProviderRefused
from providers.registries.model_entry import ModelEntry

NAME: Final = "openai"
_SERVER_ERRORS: Final = 500

_PLAIN_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")
_TOO_LONG = re.compile(r"context[ _](?:length|window|size)|maximum context|too long", re.IGNORECASE)
_PASSING: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
_KEY_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_UNREADABLE: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
_CHECK_ADDRESS: Final = "check base_url: it should be the address that ends in /v1"
_SEE_SERVER: Final = "see the log of the server, or name fallbacks in the model's entry"


class MalformedAnswer(ValueError):
    """What came is no stream of pieces of a chat completion."""


class OversizedAnswer(ValueError):
    """The server sent more than any answer takes."""


class StreamEnded(Exception):
    """The stream was over before it said that the answer is."""


class TooSlow(Exception):
    """Our patience ended; ``limit_s`` says how long it was."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"nothing within {limit_s:g} s")
        self.limit_s = limit_s


@dataclass(frozen=True, slots=True)
class RemoteFault:
    """A failed request: ``error`` is what callers hear.

    ``may_pass`` tells that the same request may succeed in a moment, ``cools`` that it counts
    against the server.
    """

    error: PromptbusError
    may_pass: bool = False
    cools: bool = True
    retry_after_s: float | None = None


def judge(exc: Exception, entry: ModelEntry, *, has_begun: bool) -> RemoteFault:
    """The fault that ``exc`` tells of; ``has_begun`` when some of the answer was given out."""
    fault = _judge(exc, entry)
    if not has_begun:
        return fault
    reason = fault.error.message
    if isinstance(exc, TooSlow):
        reason = f"{host_of(entry)} was not through within {exc.limit_s:g} s"
    broken = AnswerBrokeOff(
        provider=NAME,
        reason=f"the answer broke off: {reason.removeprefix(f'provider {NAME}: ')}",
        cure=fault.error.cure,
    )
    return RemoteFault(broken, cools=fault.cools)


def host_of(entry: ModelEntry) -> str:
    """Host and port of the entry's server."""
    return urlsplit(entry.base_url or "").netloc


def _judge(exc: Exception, entry: ModelEntry) -> RemoteFault:
    host = host_of(entry)
    match exc:
        case openai.APIError():
            return _judge_library(exc, entry)
        case TooSlow():
            return RemoteFault(_late(exc, entry))
        case StreamEnded():
            reason = f"{host} ended the stream before the answer was complete"
            return RemoteFault(_failed(reason), may_pass=True)
        case OversizedAnswer():
            return RemoteFault(_failed(f"{host} sent too much: {exc}"))
        case MalformedAnswer():
            return RemoteFault(_failed(f"{host}: {exc}", cure=_CHECK_ADDRESS))
        case ValueError():
            reason = f"{host} sent a stream that cannot be read ({type(exc).__name__})"
            return RemoteFault(_failed(reason, cure=_CHECK_ADDRESS))
    return RemoteFault(as_provider_failed(NAME, exc))


def _judge_library(exc: openai.APIError, entry: ModelEntry) -> RemoteFault:
    host = host_of(entry)
    match exc:
        case openai.APIStatusError():
            return _judge_status(exc, entry)
        case openai.APITimeoutError():
            return RemoteFault(_failed(f"{host} took too long to connect"), may_pass=True)
        case openai.APIConnectionError():
            return _judge_connection(exc, host)
    code = _code_of(exc) or "without a code"
    return RemoteFault(_failed(f"{host} reported an error ({code})"), may_pass=True)


def _late(exc: TooSlow, entry: ModelEntry) -> DeadlineExceeded:
    return DeadlineExceeded(
        what=f"model {entry.key}: {host_of(entry)}",
        deadline_s=exc.limit_s,
        cure=f"see whether the server is well, raise first_token_timeout_s of {entry.key}, "
        "or name fallbacks there",
    )


def _judge_connection(exc: openai.APIConnectionError, host: str) -> RemoteFault:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            refused = ProviderRefused(
                provider=NAME,
                reason=f"the certificate of {host} is not trusted ({cause.verify_message})",
                cure="give the server a certificate that this machine trusts",
            )
            return RemoteFault(refused, cools=False)
        cause = cause.__cause__ or cause.__context__
    kind = type(exc.__cause__).__name__ if exc.__cause__ is not None else "no connection"
    failed = _failed(f"{host} cannot be reached ({kind})", cure=f"see whether {host} is running")
    return RemoteFault(failed, may_pass=True)


def _judge_status(exc: openai.APIStatusError, entry: ModelEntry) -> RemoteFault:
    status, host, code = exc.status_code, host_of(entry), _code_of(exc)
    if code == "insufficient_quota":
        return _refused(f"{host} has no quota left for this key", "add credit, or use another key")
    if status in _PASSING or status >= _SERVER_ERRORS:
        failed = _failed(f"{host} answered {_phrase(status)}")
        retry_after_s = parse_retry_after(exc.response.headers.get("retry-after"))
        return RemoteFault(failed, may_pass=True, retry_after_s=retry_after_s)
    if status in _KEY_REFUSED:
        variable = entry.api_key_env
        cure = f"set {variable} to a key of that server" if variable else "name it in api_key_env"
        return _refused(f"{host} refused the key ({_phrase(status)})", cure)
    if status == HTTPStatus.NOT_FOUND:
        return _refused(
            f"{host} knows no model {entry.source[:80]!r}, or not this address (404)",
            f"correct source or base_url of the model {entry.key}",
        )
    if status in _UNREADABLE and (code == "context_length_exceeded" or _says_too_long(exc)):
        reason = f"is longer than the context of {entry.key}"
        cure = "shorten the prompt or its history, or choose a model with more context"
        return RemoteFault(InvalidInput(field="prompt", reason=reason, cure=cure), cools=False)
    if status < HTTPStatus.BAD_REQUEST:
        return _refused(f"{host} sent us elsewhere, where we never go ({status})", _CHECK_ADDRESS)
    told = ", ".join(part for part in (code, _plain(exc.param)) if part)
    return _refused(
        f"{host} refused the request ({_phrase(status)}{': ' if told else ''}{told})",
        "its log may tell more; leave out what the server does not support",
    )


def _failed(reason: str, cure: str = _SEE_SERVER) -> ProviderFailed:
    return ProviderFailed(provider=NAME, reason=reason, cure=cure)


def _refused(reason: str, cure: str) -> RemoteFault:
    return RemoteFault(ProviderRefused(provider=NAME, reason=reason, cure=cure), cools=False)


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _code_of(exc: openai.APIError) -> str | None:
    return _plain(exc.code) or _plain(exc.type)


def _plain(value: Any) -> str | None:
    return value if isinstance(value, str) and _PLAIN_CODE.fullmatch(value) else None


def _says_too_long(exc: openai.APIStatusError) -> bool:
    body = exc.body
    told = body.get("message") if isinstance(body, dict) else None
    return isinstance(told, str) and _TOO_LONG.search(told) is not None
