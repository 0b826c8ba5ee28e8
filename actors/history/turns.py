"""Which earlier turns fit a token budget; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contracts.prompt import ChatMessage

# English text has about four characters a token with today's vocabularies; counting UTF-8 bytes
# instead of characters charges scripts more that are split into more tokens.
BYTES_PER_TOKEN: Final = 4
# The marks that a chat template puts around each message.
TOKENS_PER_MESSAGE: Final = 4


@dataclass(frozen=True, slots=True)
class TurnPair:
    """What a person asked and what was answered; ``sequence`` orders the pairs of a session."""

    prompt: str
    output: str
    sequence: int

    @property
    def num_tokens(self) -> int:
        """Estimated tokens of both messages."""
        return estimate_tokens(self.prompt) + estimate_tokens(self.output)

    def messages(self) -> tuple[ChatMessage, ChatMessage]:
        """The pair as chat turns."""
        return (
            ChatMessage(role="user", content=self.prompt),
            ChatMessage(role="assistant", content=self.output),
        )


def estimate_tokens(text: str) -> int:
    """About how many tokens ``text`` takes as one message: a quarter of its bytes, rounded up."""
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE


def keep_newest(pairs: Iterable[TurnPair], budget_tokens: int) -> list[TurnPair]:
    """The first of ``pairs`` (newest first) that fit together.

    It ends at the first that does not fit, rather than skipping it: a conversation with a hole in
    the middle misleads a model more than one that begins later.
    """
    kept: list[TurnPair] = []
    for pair in pairs:
        budget_tokens -= pair.num_tokens
        if budget_tokens < 0:
            break
        kept.append(pair)
    return kept
