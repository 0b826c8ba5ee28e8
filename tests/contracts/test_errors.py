"""Errors: each has a name of its own and survives the way over the bus."""

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import errors
from contracts.errors import (
    ErrorInfo,
    InvalidInput,
    MalformedMessage,
    PromptbusError,
    RemoteError,
    Unexpected,
    UnknownModel,
)

# Something for every parameter that any error takes.
ARGUMENTS: dict[str, Any] = {
    "message": "what happened",
    "field": "temperature",
    "reason": "is too hot",
    "subject": "tasks.analyzer",
    "size_bytes": 10,
    "max_bytes": 5,
    "model": "pocket",
    "strategy": "standard",
    "known": ("a", "b"),
    "run_id": "0" * 32,
    "outcome": "answered",
    "what": "the step",
    "deadline_s": 1.5,
    "provider": "local",
    "device": "cuda:0",
    "stream": "RUNS",
    "witness": "SPANS",
    "needed_bytes": 3,
    "shortfalls": ("gpu-1 by 2 GiB",),
    "expected": 1,
    "found": 2,
    "exc": ValueError("nobody foresaw it"),
    "info": ErrorInfo(code="elsewhere", message="as it arrived", limit=2.0),
}


def all_errors(root: type[PromptbusError] = PromptbusError) -> list[type[PromptbusError]]:
    """``root`` and every error below it that contracts define."""
    found = [root]
    for cls in root.__subclasses__():
        found += all_errors(cls)
    return [cls for cls in found if cls.__module__ == errors.__name__]


def make(cls: type[PromptbusError]) -> PromptbusError:
    """One such error, with every parameter it needs."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    needed = {p.name: ARGUMENTS[p.name] for p in parameters if p.default is p.empty}
    return cls(**needed)


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: str(cls.__name__))
def test_an_error_has_a_wire_form_that_survives_the_way(cls: type[PromptbusError]) -> None:
    wire = make(cls).to_wire()
    arrived = ErrorInfo.model_validate_json(wire.encode())
    assert arrived == wire
    assert arrived.message
    assert RemoteError(arrived).to_wire() == arrived
    assert 400 <= arrived.status < 600


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in all_errors() if cls is not RemoteError]
    assert len(set(codes)) == len(codes)


def test_the_wire_form_carries_field_limit_and_cure() -> None:
    wire = InvalidInput(field="top_p", reason="is too large", limit=1.0, cure="lower it").to_wire()
    assert (wire.field, wire.limit, wire.cure) == ("top_p", 1.0, "lower it")
    assert (wire.code, wire.status, wire.retryable) == ("invalid_input", 422, False)


def test_an_error_that_arrived_keeps_what_is_known_of_it() -> None:
    info = ErrorInfo(code="provider_failed", message="no", retryable=True, status=502)
    assert RemoteError(info).to_wire() is info


@given(st.text(st.characters() | st.sampled_from("\ud800\udfff\0"), max_size=3000))
def test_any_text_may_stand_in_an_error_that_travels(text: str) -> None:
    for error in (
        PromptbusError(text, cure=text),
        Unexpected(ValueError(text)),
        UnknownModel(model=text or "m", known=()),
        MalformedMessage(subject="s", reason=text, field=text),
    ):
        wire = error.to_wire()
        assert ErrorInfo.model_validate_json(wire.encode()) == wire


def test_an_error_stays_small_on_the_bus() -> None:
    assert len(PromptbusError("x" * 10_000_000).to_wire().encode()) < 10_000
