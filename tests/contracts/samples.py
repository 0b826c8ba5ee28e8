"""Hypothesis strategies for every message, from the message's own fields."""

import types
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel

from contracts.prompt import ChatMessage
from contracts.run_id import derive_run_id

ModelT = TypeVar("ModelT", bound=BaseModel)

run_ids = st.builds(derive_run_id, st.integers(0, 2**48 - 1), st.text(max_size=5))
texts = st.text(max_size=40)
prompts = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("\t\n\r"), max_size=40
).map(lambda text: f"{text}?")
numbers = st.floats(0, 1e12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
chats = st.lists(
    st.builds(ChatMessage, role=st.sampled_from(("system", "user", "assistant")), content=prompts),
    max_size=3,
).map(lambda turns: (*turns, ChatMessage(role="user", content="and now?")))

# Fields whose limits stand beside their type.
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "run_id": run_ids,
    "replay_of": st.none() | run_ids,
    "attempt": st.integers(1, 1000),
    "ask": st.integers(1, 1000),
    "confidence": st.floats(0, 1),
    "score": st.integers(0, 100),
    "prompt": prompts,
    "messages": chats,
    "model": st.text(min_size=1, max_size=20),
    "strategy": st.text(min_size=1, max_size=20),
    "session_id": st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20),
    "temperature": st.floats(0, 2),
    "top_p": st.floats(0.001, 1),
    "repetition_penalty": st.floats(0.5, 2),
    "seed": st.integers(0, 2**32 - 1),
    "stop": st.lists(st.text(min_size=1, max_size=9), max_size=8).map(tuple),
    "max_tokens": st.integers(1, 32_768),
    "max_attempts": st.integers(1, 10),
    "deadline_s": st.floats(0.001, 86_400),
    "timeout_s": st.floats(0.001, 86_400),
    "budget_tokens": st.integers(0, 10_000),
    "json_schema": st.dictionaries(texts, json_values, max_size=3),
}
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(-(2**53), 2**53),
    float: numbers,
    bool: st.booleans(),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


def samples(cls: type[ModelT]) -> st.SearchStrategy[ModelT]:
    """Valid instances of ``cls``: required fields always, the others now and then."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, info in cls.model_fields.items():
        kept = required if info.is_required() or name in {"prompt", "messages"} else optional
        kept[name] = _of_field(name, info.annotation)
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: cls(**fields))


def _of_field(name: str, hint: Any) -> st.SearchStrategy[Any]:
    if name in BY_NAME:
        return BY_NAME[name]
    return st.integers(0, 10_000) if name.startswith("num_") else _of_type(hint)


def _of_type(hint: Any) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return st.one_of(*(_of_type(part) for part in arguments if part is not type(None)))
    if origin is Annotated:
        return _of_type(arguments[0])
    if origin is tuple:
        return st.lists(_of_type(arguments[0]), max_size=3).map(tuple)
    if origin is Literal:
        return st.sampled_from(arguments)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return samples(hint)
    return BY_TYPE[hint]
