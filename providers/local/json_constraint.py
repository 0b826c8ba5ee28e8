"""JSON that is enforced while decoding: which tokens may come next, by llguidance."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import PreTrainedTokenizerBase

from contracts.errors import InvalidInput
from contracts.prompt import ResponseFormat

FIELD = "response_format"
_MAX_REASON_CHARS = 300
_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
# One way to put blanks, so that no model can go on with blanks for ever; it is how ``json.dumps``
# writes.
_LAYOUT: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
# The mask's bits, one for each token, lowest first.
_BITS = torch.tensor([1 << bit for bit in range(8)], dtype=torch.uint8)


class JsonConstraint:
    """How far one answer has come within its grammar. Not thread-safe; :meth:`copy` is cheap."""

    __slots__ = ("_matcher",)

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    @property
    def is_complete(self) -> bool:
        """Whether nothing more may follow."""
        return bool(self._matcher.is_stopped())

    def copy(self) -> "JsonConstraint":
        """The same state, which goes its own way from here."""
        return JsonConstraint(self._matcher.deep_copy())

    def take(self, token_id: int) -> None:
        """The token that was chosen; one that the grammar forbids ends it."""
        self._matcher.consume_token(token_id)

    def restrict(self, scores: torch.Tensor) -> None:
        """Set the scores [1, vocabulary] of all tokens that may not follow to -inf, in place."""
        if self.is_complete:
            return
        packed = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)
        allowed = packed.unsqueeze(1).bitwise_and(_BITS).ne_(0).flatten()[: scores.shape[1]]
        scores.masked_fill_(~allowed.to(scores.device, torch.bool), -torch.inf)


class JsonCompiler:
    """Makes constraints for one tokenizer and vocabulary; reads the tokenizer at first use."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, vocab_size: int, eos_ids: Iterable[int]
    ) -> None:
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._eos_ids = sorted(eos_ids)
        self._vocabulary: LLTokenizer | None = None

    def compile(self, response_format: ResponseFormat | None) -> JsonConstraint | None:
        """What ``response_format`` asks for; None where it asks for plain text.

        Bounded in time by the grammar's limits on its own size and work.

        Raises: InvalidInput naming what of the schema cannot be enforced.
        """
        schema = _schema_of(response_format)
        if schema is None:
            return None
        vocabulary = self._read_vocabulary()
        try:
            grammar = LLMatcher.grammar_from_json_schema(dict(schema), defaults=_LAYOUT)
            matcher = LLMatcher(vocabulary, grammar, log_level=0, limits=_limits())
        except Exception as exc:
            raise _refused(str(exc)) from exc
        # The first mask finds what compiles and yet can never be met.
        probe = matcher.deep_copy()
        if not probe.is_error():
            probe.compute_bitmask()
        if probe.is_error():
            raise _refused(str(probe.get_error()))
        return JsonConstraint(matcher)

    def _read_vocabulary(self) -> LLTokenizer:
        if self._vocabulary is None:
            try:
                tokenizer: Any = self._tokenizer
                self._vocabulary = from_tokenizer(
                    tokenizer, n_vocab=self._vocab_size, eos_token=self._eos_ids or None
                )
            except Exception as exc:
                raise InvalidInput(
                    field=FIELD,
                    reason=f"this model's tokenizer cannot be constrained: {exc}"[
                        :_MAX_REASON_CHARS
                    ],
                    cure="choose another model, or ask for JSON in the prompt",
                ) from exc
        return self._vocabulary


def _schema_of(response_format: ResponseFormat | None) -> Mapping[str, Any] | None:
    if response_format is None or response_format.type == "text":
        return None
    if response_format.type == "json_object":
        return _ANY_OBJECT
    # OpenAI wraps the schema with a name; others send it bare.
    given = response_format.json_schema or {}
    inner = given.get("schema", given)
    if not isinstance(inner, Mapping):
        raise _refused("json_schema.schema must be an object")
    return inner


def _limits() -> LLParserLimits:
    return LLParserLimits(max_grammar_size=200_000, verbose_errors=False)


def _refused(reason: str) -> InvalidInput:
    first_line = reason.strip().splitlines()[0] if reason.strip() else "it cannot be compiled"
    return InvalidInput(
        field=FIELD,
        reason=f"json_schema cannot be enforced: {first_line}"[:_MAX_REASON_CHARS],
        cure="leave the keyword out, or use response_format json_object",
    )
