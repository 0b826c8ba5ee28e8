"""Nothing was answered: blank, or only punctuation and markup."""

import re

from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.findings.garbage import TEMPLATE_TOKEN

_MARKUP = re.compile(r"</?[a-z][a-z0-9]{0,9}\s*/?>|&nbsp;|```[a-z]*|~~~|\\n|\\t", re.IGNORECASE)
# Numbers of list items without text; a bare number on one line is an answer.
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s*$", re.MULTILINE)
_PUNCTUATION = re.compile(
    r"[\s\-_=*#.,;:!?¿¡'\"“”«»`~|/\\()\[\]{}<>•·…–—\u200b-\u200f\u2060\ufeff\x00-\x1f]+"
)
# A single sign can be the very answer: an operator, a mark, a yes written as "✓" or "?".
_ASKS_FOR_A_SIGN = re.compile(
    r"\b(symbol|sign|punctuation|character|operator|emoji|bracket|mark|ascii|separator|divider|"
    r"smiley|emoticon|simbolo|signo|puntuacion|caracter|operador|corchete|marca|separador|"
    r"comma|coma|delimiter|delimitador|empty|vacio|vacia|blank|nothing|nada|dash|guion|morse|"
    r"line)\b"
)
_ASKS_FOR_DATA = re.compile(
    r"extract|extrae|find|encuentra|identif|none|ningun|list|which|value|valor|return"
)
# An empty object or list is an answer where JSON is wanted.
_EMPTY_VALUES = frozenset({"{}", "[]", '""', "{ }", "[ ]"})


def find_empty(exchange: Exchange) -> Finding | None:
    """The whole output is blank or says nothing."""
    if not exchange.output:
        return _finding("The output is blank.")
    if TEMPLATE_TOKEN.search(exchange.text):
        # Named as garbage.
        return None
    rest = _PUNCTUATION.sub("", _MARKUP.sub("", _LIST_NUMBER.sub("", exchange.text)))
    if rest:
        return _filler(exchange)
    if exchange.intent.asks(_ASKS_FOR_A_SIGN):
        return None
    if exchange.output in _EMPTY_VALUES and (exchange.wants_json or exchange.task_type == "code"):
        return None
    return _finding("The output holds only punctuation or markup.")


def _filler(exchange: Exchange) -> Finding | None:
    word = exchange.output.lower().strip(" .!\"'")
    if word not in {
        "nan",
        "undefined",
        "[blank]",
        "(empty)",
        "[empty]",
        "(blank)",
        "nil",
        "null",
        "n/a",
    }:
        return None
    if (
        word in exchange.prompt.lower()
        or exchange.wants_json
        or exchange.task_type in {"code", "math", "extract"}
        or exchange.wants_code
        or _ASKS_FOR_DATA.search(exchange.prompt.lower())
    ):
        return None
    return _finding("The output is a placeholder for nothing.")


def _finding(detail: str) -> Finding:
    return Finding(FindingName.EMPTY, detail, 100)
