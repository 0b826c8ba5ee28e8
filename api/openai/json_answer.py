"""JSON that was asked for: a schema is checked before, the answer after; what is none is refused.

Local models are held to the schema while they generate, and remote servers are asked to do the
same; this is for those that do not.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from api.openai.answer import Answer, AnswerSource, Piece
from api.problem import RefusedRequest
from contracts.errors import InvalidInput
from contracts.prompt import ResponseFormat

# What the validator's finding is called that the answer of a run is not as its schema wants it.
SCHEMA_MISMATCH = "schema_mismatch"


def check_format(wanted: ResponseFormat) -> None:
    """Refuse a schema that is none; a large one takes up to a second, so not in the event loop.

    Raises: InvalidInput naming the keyword that is wrong.
    """
    if wanted.type != "json_schema":
        return
    schema = (wanted.json_schema or {}).get("schema")
    if not isinstance(schema, dict):
        raise _no_schema("json_schema.schema must be an object")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as exc:
        raise _no_schema(f"json_schema.schema: {_keyword(exc)} is no JSON Schema") from None
    except RecursionError:
        raise _no_schema("json_schema.schema is nested too deeply") from None


class JsonAnswer:
    """An answer that must be JSON as ``wanted`` has it."""

    def __init__(self, source: AnswerSource, wanted: ResponseFormat) -> None:
        self._source = source
        self._wanted = wanted
        self.run_id = source.run_id

    async def whole(self) -> Answer:
        """The answer. Raises: RefusedRequest with answer_not_json, and what the source raises."""
        answer = await self._source.whole()
        check_answer(answer, self._wanted)
        return answer

    async def live(self) -> AsyncGenerator[Piece, None]:
        """The text as it comes. Raises: as :meth:`whole`, when all of the text is there."""
        async with aclosing(self._source.live()) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    check_answer(piece, self._wanted)
                yield piece

    async def abandon(self) -> None:
        """Nobody wants it any more."""
        await self._source.abandon()


def check_answer(answer: Answer, wanted: ResponseFormat) -> None:
    """Refuse what is not the JSON asked for; an answer cut at ``max_tokens`` tells so itself; pure.

    Raises: RefusedRequest with answer_not_json (502).
    """
    if answer.finish_reason == "length":
        return
    value = _value(answer.output)
    is_object = wanted.type != "json_object" or isinstance(value, dict)
    if value is not _NONE and is_object and SCHEMA_MISMATCH not in answer.findings:
        return
    raise RefusedRequest(
        "answer_not_json",
        "the model did not answer with the JSON that was asked for",
        status=HTTPStatus.BAD_GATEWAY,
        cure="use a local model, whose decoding is held to it, or ask again",
    )


_NONE = object()


def _value(output: str) -> Any:
    try:
        return json.loads(output)
    except (ValueError, RecursionError):
        return _NONE


def _no_schema(reason: str) -> InvalidInput:
    return InvalidInput(field="response_format", reason=reason)


def _keyword(error: SchemaError) -> str:
    """The keyword that is wrong; names and values of the schema are the client's and not told."""
    path = [str(part) for part in error.absolute_schema_path]
    places = [index for index, part in enumerate(path[:-1]) if part == "properties"]
    return path[places[-1] + 1] if places else "it"
