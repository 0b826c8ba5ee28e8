"""Is an output good enough to hand on, or should it be generated again?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from actors.validator.change import Change, suggest_change
from actors.validator.exchange import Exchange, read_exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.findings.code_output import find_code_defects
from actors.validator.findings.echo import find_echo
from actors.validator.findings.empty import find_empty
from actors.validator.findings.garbage import find_garbage
from actors.validator.findings.json_output import find_json_defects
from actors.validator.findings.off_task import find_off_task
from actors.validator.findings.repetition import find_repetition
from actors.validator.findings.truncated import find_truncated
from actors.validator.findings.wrong_language import allowed_languages, find_wrong_language

__all__ = ["ACCEPT_SCORE", "Change", "Finding", "FindingName", "Judgement", "judge"]

# A single grave finding costs 80 and more, a mild one 30 and less, so two mild ones still pass.
ACCEPT_SCORE = 40
_MAX_SCORE = 100


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one output.

    `score` is 100 less the penalties, never below 0; the verdict is `retry` where it is below
    `ACCEPT_SCORE`. `change` says what to ask differently, and is None where accepted.
    """

    score: int
    verdict: Literal["accept", "retry"]
    findings: tuple[Finding, ...]
    change: Change | None


def judge(
    *,
    prompt: str,
    output: str,
    finish_reason: str | None = None,
    response_format: Mapping[str, Any] | None = None,
    task_type: str | None = None,
    language: str | None = None,
) -> Judgement:
    """Judge one output by what can be seen without a model. Pure, and bounded in time.

    Args:
        prompt: the text of the user.
        output: the generated text.
        finish_reason: OpenAI's: `stop`, `length`; None where unknown.
        response_format: OpenAI's: None, or a mapping of type `text`, `json_object` or
            `json_schema`. An invalid schema is ignored here; `check_schema` refuses it earlier.
        task_type: what the prompt asks for (`chat`, `code`, ...), None where unknown.
        language: ISO 639-1 code to answer in, None where it follows from the prompt.
    """
    exchange = read_exchange(
        prompt=prompt,
        output=output,
        finish_reason=finish_reason,
        response_format=response_format,
        task_type=task_type,
        language=language,
    )
    findings = find_all(exchange)
    score = max(0, _MAX_SCORE - sum(finding.penalty for finding in findings))
    if score >= ACCEPT_SCORE:
        return Judgement(score, "accept", findings, None)
    return Judgement(score, "retry", findings, _change(exchange, findings))


def find_all(exchange: Exchange) -> tuple[Finding, ...]:
    """Every finding; a blank output has only the one."""
    empty = find_empty(exchange)
    if empty:
        if exchange.format_type in {"json_object", "json_schema"}:
            return (empty, *find_json_defects(exchange))
        return (empty,)
    single = (
        find_truncated(exchange),
        find_repetition(exchange),
        find_wrong_language(exchange),
        find_code_defects(exchange),
        find_echo(exchange),
        find_off_task(exchange),
        find_garbage(exchange),
    )
    return (*(found for found in single if found), *find_json_defects(exchange))


def _change(exchange: Exchange, findings: tuple[Finding, ...]) -> Change:
    languages = sorted(allowed_languages(exchange))
    return suggest_change(findings, languages[0] if len(languages) == 1 else None)
