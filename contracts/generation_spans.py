"""The span of a generation and of its phases, from what its result says; pure."""

import json
from collections.abc import Sequence
from typing import Any, Final

from contracts import semconv
from contracts.generation import GenerationResult
from contracts.prompt import ChatMessage, SubmitPrompt
from contracts.semconv import Role
from contracts.span import AttributeValue, Span, SpanEvent, SpanKind, span_id_of

GENERATION: Final = "generation"
# Where a provider is not a company with a name of its own, the convention wants ours before it.
_PROVIDERS: Final = {"openai": "openai"}


def generation_spans(
    work: Span,
    step: str,
    result: GenerationResult,
    prompt: SubmitPrompt | None,
    messages: Sequence[ChatMessage] | None,
) -> list[Span]:
    """The generation within the executor's ``work``, and within it queue, load, prefill, decode.

    ``messages`` are recorded, and the answer with them, where they are given.
    """
    attributes = _attributes(step, result, prompt)
    if messages is not None:
        attributes[semconv.GEN_AI_INPUT_MESSAGES] = _content(messages)
        answer = ChatMessage(role="assistant", content=result.output)
        attributes[semconv.GEN_AI_OUTPUT_MESSAGES] = _content([answer], result.finish_reason)
    events: tuple[SpanEvent, ...] = ()
    if result.fallback_from is not None:
        events = (SpanEvent(semconv.FALLBACK_EVENT, work.start_ns, {}),)
        attributes[semconv.FALLBACK_FROM] = result.fallback_from
    end_ns = _limited(work, result.total_time_ms) if result.total_time_ms else work.end_ns
    span = work._replace(
        span_id=span_id_of(work.trace_id, step, GENERATION),
        parent_id=work.span_id,
        name=f"{semconv.CHAT} {result.fallback_from or result.model}",
        kind=SpanKind.CLIENT if result.source == "remote" else SpanKind.INTERNAL,
        end_ns=end_ns,
        attributes=attributes,
        events=events,
    )
    return [span, *_phases(span, step, result)]


def _attributes(
    step: str, result: GenerationResult, prompt: SubmitPrompt | None
) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        semconv.ROLE: Role.GENERATION,
        semconv.STEP: step,
        semconv.GEN_AI_OPERATION: semconv.CHAT,
        semconv.GEN_AI_PROVIDER: _PROVIDERS.get(result.provider, f"promptbus.{result.provider}"),
        semconv.GEN_AI_REQUEST_MODEL: result.fallback_from or result.model,
        semconv.GEN_AI_RESPONSE_MODEL: result.model,
        semconv.GEN_AI_FINISH_REASONS: (result.finish_reason,),
        semconv.GEN_AI_INPUT_TOKENS: result.usage.prompt_tokens,
        semconv.GEN_AI_OUTPUT_TOKENS: result.usage.completion_tokens,
        semconv.STRATEGY: result.strategy,
        semconv.SOURCE: result.source,
        semconv.CACHE_HIT: result.cache_hit,
        semconv.QUEUE_MS: result.queue_time_ms,
        semconv.LOAD_MS: result.load_time_ms,
    }
    if result.first_token_ms is not None:
        found[semconv.GEN_AI_TIME_TO_FIRST_CHUNK] = result.first_token_ms / 1000
        found[semconv.PREFILL_MS] = _prefill_ms(result)
        found[semconv.DECODE_MS] = max(0.0, round(result.total_time_ms - result.first_token_ms, 3))
    if prompt is not None and prompt.max_tokens is not None:
        found[semconv.GEN_AI_REQUEST_MAX_TOKENS] = prompt.max_tokens
    if prompt is not None and prompt.temperature is not None:
        found[semconv.GEN_AI_REQUEST_TEMPERATURE] = prompt.temperature
    return found


def _prefill_ms(result: GenerationResult) -> float:
    """From having the model to the first token."""
    first_token_ms = result.first_token_ms or 0.0
    return max(0.0, round(first_token_ms - result.queue_time_ms - result.load_time_ms, 3))


def _phases(span: Span, step: str, result: GenerationResult) -> list[Span]:
    found: list[Span] = []
    held_ms = result.queue_time_ms + result.load_time_ms
    phases = [
        ("queue", 0.0, result.queue_time_ms),
        ("load", result.queue_time_ms, held_ms),
    ]
    if result.first_token_ms is not None:
        phases += [
            ("prefill", held_ms, result.first_token_ms),
            ("decode", result.first_token_ms, result.total_time_ms),
        ]
    for name, begin_ms, end_ms in phases:
        if end_ms <= begin_ms:
            continue
        found.append(
            span._replace(
                span_id=span_id_of(span.trace_id, step, name),
                parent_id=span.span_id,
                name=name,
                kind=SpanKind.INTERNAL,
                start_ns=_limited(span, begin_ms),
                end_ns=_limited(span, end_ms),
                attributes={semconv.ROLE: Role.PHASE, semconv.STEP: step},
                events=(),
            )
        )
    return found


def _limited(within: Span, after_ms: float) -> int:
    """The moment ``after_ms`` from the beginning of ``within``, which is at most its end."""
    moment_ns = within.start_ns + round(after_ms * 1000) * 1000
    return moment_ns if within.end_ns is None else min(moment_ns, within.end_ns)


def _content(messages: Sequence[ChatMessage], finish_reason: str | None = None) -> str:
    """Messages in the JSON of the GenAI conventions."""
    found: list[dict[str, Any]] = [
        {"role": one.role, "parts": [{"type": "text", "content": one.content}]} for one in messages
    ]
    if finish_reason is not None:
        found = [{**one, "finish_reason": finish_reason} for one in found]
    return json.dumps(found, ensure_ascii=False)
