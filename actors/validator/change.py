"""What to ask differently when an output is sent back."""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.validator.finding import Finding, FindingName

LANGUAGE_NAMES = {
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "pt": "Portuguese",
    "it": "Italian",
    "nl": "Dutch",
    "ru": "Russian",
    "ja": "Japanese",
    "zh": "Chinese",
    "ko": "Korean",
    "ar": "Arabic",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What to change on a retry; a field left at its default stays as it was.

    `instruction` is one sentence to append to the prompt. `another_model` says that the same
    model is unlikely to do better.
    """

    max_tokens_factor: float | None = None
    temperature: float | None = None
    instruction: str | None = None
    repetition_penalty: float | None = None
    another_model: bool = False


_JSON = "Answer only with valid JSON, without a code fence and without any other text."
# Worst first: the first finding present decides the sentence that is appended.
_INSTRUCTIONS: dict[FindingName, str] = {
    FindingName.INVALID_JSON: _JSON,
    FindingName.SCHEMA_MISMATCH: "Answer only with JSON that satisfies the given schema.",
    FindingName.CODE_DOES_NOT_PARSE: "Make sure that the code is complete and free of syntax "
    "errors.",
    FindingName.TRUNCATED: "Answer completely, and keep it short enough to finish.",
    FindingName.ECHO: "Answer the request instead of repeating it.",
    FindingName.OFF_TASK: "Answer exactly what is asked.",
    FindingName.REPETITION: "Do not repeat yourself.",
    FindingName.EMPTY: "Give an answer in words.",
}


def suggest_change(findings: Sequence[Finding], expected_language: str | None) -> Change:
    """The change that fits the findings of a rejected output.

    Args:
        findings: what was found, at least one.
        expected_language: ISO 639-1 code of the language to answer in, None where unknown.
    """
    names = {finding.name for finding in findings}
    garbage = FindingName.GARBAGE in names
    loops = FindingName.REPETITION in names
    exact = names & {
        FindingName.INVALID_JSON,
        FindingName.SCHEMA_MISMATCH,
        FindingName.CODE_DOES_NOT_PARSE,
    }
    return Change(
        max_tokens_factor=2.0 if FindingName.TRUNCATED in names and not loops else None,
        temperature=_temperature(garbage=garbage, loops=loops, exact=bool(exact)),
        instruction=_instruction(names, expected_language),
        repetition_penalty=1.15 if loops else None,
        another_model=garbage,
    )


def _temperature(*, garbage: bool, loops: bool, exact: bool) -> float | None:
    if loops:
        # Greedy decoding is what loops; a little chance breaks the cycle.
        return 0.7
    return 0.2 if garbage or exact else None


def _instruction(names: set[FindingName], expected_language: str | None) -> str | None:
    if FindingName.WRONG_LANGUAGE in names and expected_language in LANGUAGE_NAMES:
        return f"Answer in {LANGUAGE_NAMES[expected_language]}."
    return next((text for name, text in _INSTRUCTIONS.items() if name in names), None)
