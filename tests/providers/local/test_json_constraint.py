"""JSON that is enforced while decoding, with models that know nothing of JSON."""

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from contracts.errors import InvalidInput
from contracts.prompt import ResponseFormat
from providers.cancellation import Cancellation
from providers.local.batch_engine import BatchEngine
from providers.local.hub_cache import POCKET_FOLDER
from providers.local.json_constraint import JsonCompiler
from providers.local.serial_engine import SerialEngine
from tests.providers.local.conftest import EngineKind, HostEngine, job_of

KINDS = pytest.mark.parametrize("kind", [SerialEngine, BatchEngine])
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "size": {"enum": ["small", "big"]},
        "ready": {"type": "boolean"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
        "code": {"type": "string", "pattern": "^[A-Z]{2}$"},
    },
    "required": ["size", "ready", "tags", "code"],
    "additionalProperties": False,
}


def as_format(schema: dict[str, Any]) -> ResponseFormat:
    return ResponseFormat(type="json_schema", json_schema={"name": "answer", "schema": schema})


@KINDS
async def test_a_random_model_keeps_to_the_schema_and_stops_when_it_is_met(
    host_engine: HostEngine, endless_checkpoint: Path, kind: EngineKind
) -> None:
    fields: dict[str, Any] = {"max_tokens": 200, "response_format": as_format(SCHEMA)}
    jobs = [
        job_of(endless_checkpoint, temperature=temperature, seed=seed, **fields)
        for temperature, seed in ((0.0, 0), (1.0, 1), (2.0, 2))
    ]
    async with host_engine(kind, endless_checkpoint) as engine:
        for job in jobs:
            decoded = await engine.generate(job, on_text=None, cancel=Cancellation())
            jsonschema.validate(json.loads(decoded.output), SCHEMA)
            assert decoded.finish_reason == "stop"


async def test_constrained_and_free_requests_run_side_by_side(
    host_engine: HostEngine, endless_checkpoint: Path
) -> None:
    free = job_of(endless_checkpoint, max_tokens=30)
    bound = job_of(endless_checkpoint, max_tokens=200, response_format=as_format(SCHEMA))
    async with host_engine(BatchEngine, endless_checkpoint) as engine:

        async def run(job: Any) -> str:
            return (await engine.generate(job, on_text=None, cancel=Cancellation())).output

        alone = await run(free)
        first, output, second = await asyncio.gather(run(free), run(bound), run(free))
    assert first == second == alone
    jsonschema.validate(json.loads(output), SCHEMA)


@KINDS
async def test_pocket_answers_with_an_object(host_engine: HostEngine, kind: EngineKind) -> None:
    job = job_of(
        POCKET_FOLDER,
        prompt="What is the capital of France?",
        max_tokens=120,
        response_format=ResponseFormat(type="json_object"),
    )
    async with host_engine(kind, POCKET_FOLDER) as engine:
        decoded = await engine.generate(job, on_text=None, cancel=Cancellation())
    assert isinstance(json.loads(decoded.output), dict)


@KINDS
@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "banana"}, "banana"),
        ({"type": "object", "not": {"type": "string"}}, "not"),
        ({"$ref": "#/nowhere"}, "nowhere"),
        ({"type": "string", "pattern": "("}, "regex"),
        ({"$ref": "#"}, "enforced"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "enforced"),
    ],
)
async def test_what_cannot_be_enforced_is_refused_with_the_reason(
    host_engine: HostEngine,
    tiny_checkpoint: Path,
    kind: EngineKind,
    schema: dict[str, Any],
    reason: str,
) -> None:
    job = job_of(tiny_checkpoint, response_format=as_format(schema))
    async with host_engine(kind, tiny_checkpoint) as engine:
        with pytest.raises(InvalidInput) as caught:
            await engine.generate(job, on_text=None, cancel=Cancellation())
        assert caught.value.field == "response_format"
        assert reason in caught.value.reason
        decoded = await engine.generate(
            job_of(tiny_checkpoint, max_tokens=1), on_text=None, cancel=Cancellation()
        )
        assert decoded.completion_tokens == 1


COMPILER = JsonCompiler(
    AutoTokenizer.from_pretrained(POCKET_FOLDER, local_files_only=True), vocab_size=2048, eos_ids=()
)
SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "integer"},
            {"type": "string", "pattern": "(a|b){1,500}x.{300}$"},
            {"type": "string", "minLength": 10_000},
            {"enum": [str(number) for number in range(200)]},
            {"type": "banana"},
            {},
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda one: {"type": "array", "items": one, "minItems": 100_000}, inner),
        st.builds(lambda one: {"anyOf": [one] * 5}, inner),
        st.builds(
            lambda one: {"type": "object", "properties": {f"key {n}": one for n in range(8)}},
            inner,
        ),
    ),
    max_leaves=3,
)


@settings(max_examples=30, deadline=5000)
@given(SCHEMAS)
def test_any_schema_is_compiled_or_refused_in_bounded_time(schema: dict[str, Any]) -> None:
    try:
        constraint = COMPILER.compile(as_format(schema))
    except InvalidInput as exc:
        assert exc.field == "response_format"
    else:
        assert constraint is not None
