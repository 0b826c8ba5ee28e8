"""The output stops before its end."""

import re

from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.folding import fold

_END_MARKS = tuple(".!?…。！？।؟\"'”’»)]}*`|:;>~_")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]*_]*(\s|$)")
_LIST_ITEM = re.compile(r"^\s*(?:[-*+•·–]|\d{1,3}[.):]|[a-z]\))\s+")
_BARE_MARKER = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s*$")
_COUNT = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "ten": 10,
    "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "diez": 10,
}  # fmt: skip
_NUMBER = re.compile(r"\b(\d{1,2}|" + "|".join(_COUNT) + r")\b")
# No sentence in English or Spanish ends with these.
_OPEN_WORDS_TEXT = """
    the a an of and or to in with for by from at as is are was were that which because if but
    into than your their our its my his very so such when while where between without about
    el la los las un una unos unas de del y o u e en con por para que como es son fue pero
    porque si su sus mi tu al sin sobre entre cuando donde cuyo muy tan mas lo se
"""
_OPEN_WORDS = frozenset(_OPEN_WORDS_TEXT.split())
_MIN_LONG_WORDS = 20
_MIN_OPEN_ENDING_WORDS = 5
_MIN_LAST_LINE_WORDS = 5
_CODE_SIGN = re.compile(r"[(){}\[\];=<>$]")
_STRONG = 85
_MILD = 20


def find_truncated(exchange: Exchange) -> Finding | None:
    """Cut by the token limit, in mid-sentence, or with an open fence or bracket."""
    if not exchange.output:
        return None
    detail = _open_structure(exchange) or _open_ending(exchange)
    if detail:
        return Finding(FindingName.TRUNCATED, detail, _STRONG)
    if exchange.finish_reason != "length":
        return None
    if _ends_well(exchange):
        detail = "The token limit was reached, at a point where the text is complete."
        return Finding(FindingName.TRUNCATED, detail, _MILD)
    return Finding(
        FindingName.TRUNCATED, "The token limit was reached in the middle of the text.", _STRONG
    )


def _open_structure(exchange: Exchange) -> str | None:
    if exchange.fences and not exchange.fences[-1].closed and exchange.fences[-1].code.strip():
        return "The last code fence is not closed."
    lines = exchange.text.splitlines()
    if _BARE_MARKER.match(lines[-1]) and any(_LIST_ITEM.match(line) for line in lines[:-1]):
        return "The last list item is empty."
    if exchange.wants_json and exchange.output[0] in "{[" and exchange.output[-1] not in "}]":
        return "The JSON is not closed."
    return None


def _open_ending(exchange: Exchange) -> str | None:
    """Signs in the text itself, whatever the finish reason says."""
    lines = exchange.text.splitlines()
    last = lines[-1]
    if not last or last.endswith(_END_MARKS) or _is_code_like(exchange, last):
        # A comma is never a last word; the others may close anything.
        return None
    if last.endswith((",", " -", "(", "[", "{")) and len(last.split()) >= _MIN_OPEN_ENDING_WORDS:
        return "The text ends after a sign that something should follow."
    words = [word for word in fold(last).split() if word]
    if not words or not last[-1].isalnum():
        return None
    prose = len(exchange.words) >= _MIN_OPEN_ENDING_WORDS and not exchange.intent.asks(_CONTINUES)
    if prose and words[-1] in _OPEN_WORDS and len(words) >= _MIN_OPEN_ENDING_WORDS:
        return "The text ends with a word that needs another one after it."
    if exchange.finish_reason != "stop" and _breaks_its_own_habit(exchange, lines):
        return "The last sentence has no end, though the ones before it have."
    return None


_CONTINUES = re.compile(
    r"\b(words?|palabras?|preposition|preposicion|article|articulo|conjunction|conjuncion|pronoun|"
    r"pronombre|fill|rellena|blank|sort|ordena|alphabet\w*|poem|poema|lyrics|letra|keywords?)\b"
)


def _breaks_its_own_habit(exchange: Exchange, lines: list[str]) -> bool:
    last = lines[-1]
    if _LIST_ITEM.match(last):
        before = [line for line in lines[:-1] if _LIST_ITEM.match(line)]
        ended = sum(line.rstrip().endswith((".", "!", "?")) for line in before)
        return len(before) >= 2 and ended == len(before) and len(last.split()) > 2  # noqa: PLR2004
    if len(exchange.words) < _MIN_LONG_WORDS or not _SENTENCE_END.search(last):
        return False
    tail = _SENTENCE_END.split(last)[-1]
    return bool(tail) and len(tail.split()) >= 2 and tail[-1].islower()  # noqa: PLR2004


def _ends_well(exchange: Exchange) -> bool:
    last = exchange.text.splitlines()[-1].rstrip()
    if exchange.fences and exchange.text.endswith(("```", "~~~")):
        return _has_all_items(exchange)
    if last.endswith(_END_MARKS) and not last.endswith((":", ";", "_")):
        return _has_all_items(exchange)
    if not last[-1].isalnum() and not last.endswith((",", ":", ";", "-", "(")):
        # An emoji or a sign of another script.
        return _has_all_items(exchange)
    if len(exchange.words) <= 3:  # noqa: PLR2004
        return True
    items = [line for line in exchange.text.splitlines() if _LIST_ITEM.match(line)]
    wanted = _wanted_items(exchange)
    return wanted is not None and len(items) >= wanted and bool(_LIST_ITEM.match(last))


def _has_all_items(exchange: Exchange) -> bool:
    """False where a list of a known length was asked for and is visibly shorter."""
    wanted = _wanted_items(exchange)
    items = [line for line in exchange.text.splitlines() if _LIST_ITEM.match(line)]
    return wanted is None or not items or len(items) >= wanted


def _wanted_items(exchange: Exchange) -> int | None:
    found = _NUMBER.search(exchange.intent.instruction)
    if not found:
        return None
    return _COUNT.get(found[1]) or int(found[1])


def _is_code_like(exchange: Exchange, last: str) -> bool:
    if exchange.fences and exchange.text.endswith(("```", "~~~")):
        return True
    if exchange.task_type == "code" and _CODE_SIGN.search(last):
        return True
    return exchange.wants_code or last.startswith(("    ", "\t", "|"))
