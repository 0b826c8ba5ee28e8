"""Turns of a conversation as the one text that a model continues."""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from contracts.errors import InvalidInput
from contracts.prompt import ChatMessage
from providers.registries.model_entry import ModelEntry

# For base models, which were trained on no turns: a transcript that the model goes on writing,
# until it begins to write the user's next turn.
PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | capitalize }}: {{ message['content'] }}\n"
    "{% endfor %}"
    "Assistant:"
)
PLAIN_STOP = "\nUser:"


class PromptTemplate:
    """The tokenizer's chat template, else the entry's, else :data:`PLAIN_TEMPLATE`."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, entry: ModelEntry) -> None:
        self._tokenizer = tokenizer
        own = tokenizer.chat_template is not None
        self._template = None if own else (entry.chat_template or PLAIN_TEMPLATE)
        self._options: dict[str, Any] = dict(entry.chat_template_options)
        self.implied_stops = (PLAIN_STOP,) if self._template == PLAIN_TEMPLATE else ()

    def encode(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Token ids of ``messages``, ending where the assistant's turn begins.

        Raises: InvalidInput when the template refuses these turns.
        """
        turns = [{"role": turn.role, "content": turn.content} for turn in messages]
        try:
            text = self._tokenizer.apply_chat_template(
                turns,
                chat_template=self._template,
                add_generation_prompt=True,
                tokenize=False,
                **self._options,
            )
        except TemplateError as exc:
            raise InvalidInput(
                field="messages",
                reason=f"the model's chat template refuses them: {exc}"[:300],
                cure="let user and assistant alternate, with at most one system message first",
            ) from exc
        # A chat template writes the special tokens itself; the plain one has none to write.
        with_special = bool(self.implied_stops)
        ids: list[int] = self._tokenizer.encode(str(text), add_special_tokens=with_special)
        return ids
