"""A prompt and its output, prepared once for all findings to look at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.validator.fence import Fence, split_fences, without_inline_code
from actors.validator.folding import folded_words
from actors.validator.intent import (
    CODE,
    CODE_AS_PROSE,
    CODE_AS_SUBJECT,
    JSON,
    JSON_AS_SUBJECT,
    PROGRAM,
    Intent,
    read_intent,
)

# Beyond this an output is judged by its two ends: the time stays bounded, and defects of
# generation show at the end (loops, cuts) or from the start (garbage, wrong language).
MAX_HEAD_CHARS = 16_000
MAX_TAIL_CHARS = 8_000
_MAX_BLANK_CHARS = 80
_LONG_BLANK = re.compile(rf"\s{{{_MAX_BLANK_CHARS + 1},}}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What every finding looks at.

    `output` is stripped and whole; `text` is its window of at most 24,000 characters; `prose` is
    the window without code fences and inline code; `words` and `prompt_words` are folded.
    """

    prompt: str
    intent: Intent
    output: str
    text: str
    prose: str
    fences: tuple[Fence, ...]
    words: tuple[str, ...]
    prompt_words: tuple[str, ...]
    finish_reason: str | None
    response_format: Mapping[str, Any] | None
    task_type: str | None
    language: str | None

    @property
    def format_type(self) -> str | None:
        kind = self.response_format.get("type") if self.response_format else None
        return kind if isinstance(kind, str) else None

    @property
    def wants_json(self) -> bool:
        """True where the response format or the plain wording asks for JSON."""
        if self.format_type in {"json_object", "json_schema"}:
            return True
        return self.intent.asks(JSON) and not self.intent.asks(JSON_AS_SUBJECT)

    @property
    def wants_code(self) -> bool:
        """True where the prompt orders code to be written."""
        return (
            self.task_type in {None, "code", "write", "question", "chat"}
            and self.intent.asks_unquoted(CODE)
            and not self.intent.asks(
                CODE_AS_PROSE if self.intent.asks(PROGRAM) else CODE_AS_SUBJECT
            )
        )


def read_exchange(
    *,
    prompt: str,
    output: str,
    finish_reason: str | None,
    response_format: Mapping[str, Any] | None,
    task_type: str | None,
    language: str | None,
) -> Exchange:
    """Prepare the exchange; linear in the lengths, and cheap beyond the windows."""
    output = output.strip().lstrip("\ufeff")
    text = _window(output)
    fences, outside = split_fences(text)
    prompt = _window(prompt.strip())
    return Exchange(
        prompt=prompt,
        intent=read_intent(prompt),
        output=output,
        text=text,
        prose=without_inline_code(outside),
        fences=fences,
        words=tuple(folded_words(text)),
        prompt_words=tuple(folded_words(prompt)),
        finish_reason=finish_reason,
        response_format=response_format,
        task_type=task_type,
        language=_code_of(language),
    )


def _code_of(language: str | None) -> str | None:
    code = language.split("-")[0].lower() if language else None
    return None if code in {"", "und", "mul", "zxx"} else code


def _window(text: str) -> str:
    if len(text) > MAX_HEAD_CHARS + MAX_TAIL_CHARS:
        text = f"{text[:MAX_HEAD_CHARS]}\n{text[-MAX_TAIL_CHARS:]}"
    # Patterns that skip white space would take time with the square of a run's length.
    return _LONG_BLANK.sub(lambda blank: blank[0][:_MAX_BLANK_CHARS], text)
