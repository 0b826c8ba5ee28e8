"""Names of span and resource attributes, in one place.

OpenTelemetry's messaging and GenAI conventions (semantic-conventions-genai v0.1.0) are still in
development; they are written out here rather than imported, so that a rename is one edit.
"""

from typing import Final

MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_DESTINATION_TEMPLATE: Final = "messaging.destination.template"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"

GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"

ERROR_TYPE: Final = "error.type"

RUN_ID: Final = "promptbus.run.id"
ACTOR: Final = "promptbus.actor"
STEP: Final = "promptbus.step"
ATTEMPT: Final = "promptbus.attempt"
OUTCOME: Final = "promptbus.outcome"
