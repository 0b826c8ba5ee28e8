"""The answer is in another language than the one asked for."""

import re

from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.folding import fold
from actors.validator.intent import ORDERS_TRANSLATION, mentioned_languages, target_languages
from actors.validator.language import (
    SCRIPT_OF,
    WORDS,
    LanguageEvidence,
    detect_language,
    weigh_language,
)

_CODE_LINE = re.compile(
    r"^\s*(?:(?:async )?def \w+.*|class \w+[(:{].*|import [\w.]+.*|from [\w.]+ import.*|return\b.*|"
    r"(?:const|let|var|public|private|static|fn|func|function|package) \w+.*[({=;].*|"
    r"(?:SELECT|INSERT|UPDATE|DELETE|CREATE|FROM|WHERE|#include)\b.*|(?:<\w|</|\$ |>>> |//|#!|"
    r"@\w).*|"
    r"\w+\([^)]*\)|.*[;{}]\s*|[\w.\[\]]+ ?[-+*/]?= ?\S.*|"
    r"(?:for|while|if|elif|else|try|except|with)\b.*:)\s*$"
)
_QUOTED = re.compile(r"[\"“«][^\"”»\n]{1,400}[\"”»]|\*[^*\n]{1,200}\*|https?://\S+")
_NAME_ASKED = re.compile(
    r"\b(title|name|called|quote|phrase|slogan|lyrics|motto|proverb|saying|verse|titulo|nombre|"
    r"llama|frase|lema|refran|dicho|cita|verso|song|cancion|movie|film|pelicula|book|libro|novel)\b"
)
_MAX_NAME_WORDS = 12
_HEAD = 400
_MIN_WORDS = 3
_MIN_HITS = 2
_MIN_COMMON = 1
_PRIOR = 1.0
_MIN_LEAD = 0.5
_NUM_TITLE_WORDS = 9
_MIN_TITLE_WORDS = 2
# A text in the right language still has quoted or borrowed words; more than this is too many.
_MAX_SHARE_OF_WORDS = 0.4
_MAX_SHARE_OF_HITS = 0.55
# Words of languages that only their script or nothing tells: evidence needed against them.
_MIN_HITS_AGAINST_UNKNOWN = 4


def find_wrong_language(exchange: Exchange) -> Finding | None:
    """Sure evidence of a language that neither the prompt nor the caller has in mind."""
    if exchange.wants_json:
        return None
    evidence = weigh_language(_own_words(exchange))
    if not _is_enough(evidence, exchange):
        return None
    allowed = allowed_languages(exchange)
    found = evidence.best
    if not allowed or found is None or found in {SCRIPT_OF.get(code, code) for code in allowed}:
        return None
    if _could_be_allowed(evidence, allowed):
        return None
    wanted = " or ".join(sorted(allowed))
    return Finding(
        FindingName.WRONG_LANGUAGE,
        f"The output reads as {found}, but {wanted} is wanted.",
        90,
    )


def allowed_languages(exchange: Exchange) -> set[str]:
    """Every language in which an answer would be right; empty where that is not known."""
    folded = fold(exchange.prompt)
    targets = target_languages(exchange.intent.instruction) or target_languages(folded[:_HEAD])
    if targets:
        return targets
    if exchange.task_type == "translate" or exchange.intent.asks(ORDERS_TRANSLATION):
        return _translation_targets(exchange)
    allowed: set[str] = set()
    named = mentioned_languages(folded)
    of_prompt = weigh_language(exchange.prompt)
    of_instruction = detect_language(exchange.intent.instruction)
    if of_person := _language_of_prompt(of_prompt):
        allowed.add(of_person)
    if exchange.language and _is_plausible(exchange.language, of_prompt):
        allowed.add(exchange.language)
    if not allowed:
        return set()
    if of_instruction:
        allowed.add(of_instruction)
    if exchange.intent.source and (of_source := detect_language(exchange.intent.source)):
        allowed.add(of_source)
    return allowed | named


def _translation_targets(exchange: Exchange) -> set[str]:
    if exchange.language and exchange.language != detect_language(exchange.prompt):
        return {exchange.language}
    return set()


def _language_of_prompt(evidence: LanguageEvidence) -> str | None:
    """Like `best`, with English and Spanish a little ahead of the languages known less well."""
    if evidence.script:
        return evidence.script
    weights = {
        code: hits + (_PRIOR if hits and code in {"en", "es"} else 0.0)
        for code, hits in evidence.hits.items()
    }
    (first, best), (second, _) = sorted(
        ((weight, code) for code, weight in weights.items()), reverse=True
    )[:2]
    return best if first >= second + _MIN_LEAD and evidence.num_common[best] else None


def _is_plausible(language: str, evidence: LanguageEvidence) -> bool:
    """False where the caller's guess of the language has less for it than another has."""
    if evidence.script or language not in WORDS:
        return True
    return evidence.hits[language] >= max(evidence.hits.values())


def _own_words(exchange: Exchange) -> str:
    lines = (line for line in exchange.prose.splitlines() if not _CODE_LINE.match(line))
    return _QUOTED.sub(" ", "\n".join(lines))


def _is_enough(evidence: LanguageEvidence, exchange: Exchange) -> bool:
    if evidence.script:
        return True
    best = evidence.best
    if evidence.num_words < _MIN_WORDS or best is None:
        return False
    hits = evidence.hits[best]
    if evidence.num_common[best] < _MIN_COMMON or hits < _MIN_HITS or hits * 3 < evidence.num_words:
        return False
    if evidence.num_words < _MAX_NAME_WORDS and exchange.intent.asks(_NAME_ASKED):
        return False
    return not (evidence.num_words < _NUM_TITLE_WORDS and _is_title(exchange.output))


def _is_title(text: str) -> bool:
    """A name such as "The Lord of the Rings" is the same in every language."""
    words = [word for word in text.strip(" .\"'").split() if len(word) > 3]  # noqa: PLR2004
    return (
        "\n" not in text
        and len(words) >= _MIN_TITLE_WORDS
        and all(word[0].isupper() for word in words)
    )


def _could_be_allowed(evidence: LanguageEvidence, allowed: set[str]) -> bool:
    if evidence.script:
        return False
    best = max(evidence.hits.values())
    most = max(evidence.num_common.values())
    for code in allowed & set(WORDS):
        # Spellings are shared more than words are.
        if evidence.num_common[code] > most * _MAX_SHARE_OF_WORDS:
            return True
        if evidence.hits[code] > best * _MAX_SHARE_OF_HITS:
            return True
    by_script = {"ru", "el", "ja", "zh", "ko", "ar", "he", "hi", "th", *SCRIPT_OF}
    unknown = allowed - set(WORDS) - by_script
    return bool(unknown) and best < _MIN_HITS_AGAINST_UNKNOWN
