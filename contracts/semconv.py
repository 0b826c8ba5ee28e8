"""Names of span and resource attributes, in one place.

OpenTelemetry's messaging conventions and its GenAI conventions (semantic-conventions-genai v0.1.0)
are still in development; they are written out here rather than imported, so that a rename is one
edit. What has no name there is ``promptbus.*``.
"""

from enum import StrEnum
from typing import Final

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
HOST_NAME: Final = "host.name"

MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_CONSUMER_GROUP: Final = "messaging.consumer.group.name"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
NATS: Final = "nats"

GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
CHAT: Final = "chat"

ERROR_TYPE: Final = "error.type"

ROLE: Final = "promptbus.span"
RUN_ID: Final = "promptbus.run.id"
REPLAY_OF: Final = "promptbus.replay_of"
OUTCOME: Final = "promptbus.outcome"
NUM_ATTEMPTS: Final = "promptbus.num_attempts"
SCORE: Final = "promptbus.score"
ACTOR: Final = "promptbus.actor"
STEP: Final = "promptbus.step"
ATTEMPT: Final = "promptbus.attempt"
AFTER: Final = "promptbus.after"
NUM_DELIVERED: Final = "promptbus.num_delivered"
UNANSWERED: Final = "promptbus.unanswered"
LOST: Final = "promptbus.lost"
STRATEGY: Final = "promptbus.strategy"
SOURCE: Final = "promptbus.source"
CACHE_HIT: Final = "promptbus.cache_hit"
FALLBACK_FROM: Final = "promptbus.fallback_from"
VERDICT: Final = "promptbus.verdict"
QUEUE_MS: Final = "promptbus.queue_ms"
WORK_MS: Final = "promptbus.work_ms"
LOAD_MS: Final = "promptbus.load_ms"
PREFILL_MS: Final = "promptbus.prefill_ms"
DECODE_MS: Final = "promptbus.decode_ms"

CANCEL_EVENT: Final = "promptbus.cancel_requested"
FALLBACK_EVENT: Final = "promptbus.fallback"


class Role(StrEnum):
    """What a span of ours tells of (the value of ``promptbus.span``)."""

    RUN = "run"  # the root
    SUBMIT = "submit"  # the prompt on its way to its queue
    LEAD = "lead"  # a coordinator leads the run
    STEP = "step"  # from asking an actor until its event is stored
    WORK = "work"  # one actor's try at a step
    GENERATION = "generation"
    PHASE = "phase"  # queue, load, prefill or decode of a generation
    DEAD = "dead"  # a dead letter


def service_of(actor: str) -> str:
    """The ``service.name`` of an actor, whatever process it shares."""
    return f"promptbus-{actor}"
