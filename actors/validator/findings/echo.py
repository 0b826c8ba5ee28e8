"""The prompt is handed back instead of an answer."""

import re
from difflib import SequenceMatcher

from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.folding import folded_words
from actors.validator.intent import COPYING, TRANSLATE

_MIN_WORDS = 4
_MIN_QUESTION_WORDS = 3
# The two texts are compared word by word, which takes time with the square of their length.
_MAX_COMPARED_WORDS = 400
_MIN_RATIO = 0.9
_GREETING = re.compile(
    r"^\W*(hi|hello|hey|good (morning|afternoon|evening|night)|thanks?|thank you|bye|see you|nice|"
    r"welcome|happy|merry|congratulations|hola|buen[oa]s? |gracias|adios|hasta|feliz|felicidades|"
    r"bienvenid)"
)
_VERBATIM = re.compile(
    r"\b(repeat|repite|repetir|echo|copy|copia\w*|say|di|type|verbatim|exactly|exactamente|"
    r"textualmente|word for word|palabra por palabra|escribe exactamente)\b"
)
_QUESTION_WORDS_TEXT = """
    what who whom when where why how which que quien cuando donde como cual cuanto cuantos
"""
_QUESTION_WORDS = frozenset(_QUESTION_WORDS_TEXT.split())
_FILLER_TEXT = """
    sure here here's is the a an answer response of course okay ok yes your my prompt
    question you asked said user input output assistant text certainly absolutely claro aqui
    esta tu la el respuesta pregunta es por supuesto si usuario asistente entrada salida
    texto vale de acuerdo un una i will can help with that please let me
"""
_FILLER = frozenset(_FILLER_TEXT.split())


def find_echo(exchange: Exchange) -> Finding | None:
    """The output repeats the whole prompt, or nearly, and adds nothing."""
    prompt, output = exchange.prompt_words, exchange.words
    if _is_untranslated(exchange):
        return _finding("The output is the text to translate, as it was.")
    if not _is_comparable(exchange):
        return None
    if list(prompt) == list(output):
        return _finding("The output is the prompt again.")
    added = set(output) - set(prompt) - _FILLER
    if not added and _contains(output, prompt):
        return _finding("The output is the prompt again, with nothing of substance added.")
    if exchange.intent.asks(COPYING):
        return _echo_of_instruction(exchange, added)
    if _ratio(prompt, output) >= _MIN_RATIO and len(prompt) >= 6:  # noqa: PLR2004
        return _finding("The output is nearly the same as the prompt.")
    return None


def _is_untranslated(exchange: Exchange) -> bool:
    source = folded_words(exchange.intent.source)
    return (
        len(source) >= _MIN_WORDS
        and exchange.intent.asks(TRANSLATE)
        and source == list(exchange.words)
    )


def _is_comparable(exchange: Exchange) -> bool:
    prompt = exchange.prompt_words
    is_question = len(prompt) >= _MIN_QUESTION_WORDS and (
        exchange.prompt.endswith("?") or prompt[0] in _QUESTION_WORDS
    )
    if not exchange.output or (len(prompt) < _MIN_WORDS and not is_question):
        return False
    if is_question and prompt == exchange.words:
        return True
    if exchange.intent.asks(_VERBATIM):
        return False
    folded = " ".join(prompt)
    return not (_GREETING.match(folded) and len(prompt) < 5 and not is_question)  # noqa: PLR2004


def _echo_of_instruction(exchange: Exchange, added: set[str]) -> Finding | None:
    """Copying the source is the task; copying the instruction with it is not."""
    instruction = folded_words(exchange.intent.instruction)
    if len(instruction) < 2 or not exchange.intent.source:  # noqa: PLR2004
        return None
    if (
        not added
        and _contains(exchange.words, tuple(instruction))
        and len(exchange.words) >= len(exchange.prompt_words)
    ):
        return _finding("The output repeats the instruction and its text.")
    return None


def _contains(words: tuple[str, ...], part: tuple[str, ...]) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(words)} "


def _ratio(prompt: tuple[str, ...], output: tuple[str, ...]) -> float:
    shorter, longer = sorted((len(prompt), len(output)))
    if shorter < longer * _MIN_RATIO * 0.9:
        return 0.0
    first, second = prompt[:_MAX_COMPARED_WORDS], output[:_MAX_COMPARED_WORDS]
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= _MIN_RATIO else 0.0


def _finding(detail: str) -> Finding:
    return Finding(FindingName.ECHO, detail, 90)
