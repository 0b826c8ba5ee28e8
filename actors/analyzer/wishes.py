"""What a prompt's own words ask of the answer: language, length, format, tone."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from actors.analyzer.excerpt import Excerpt
from actors.analyzer.names import LANGUAGE_CODES, PROGRAMMING_LANGUAGES, TONES
from contracts.prompt import TaskType

ResponseShape = Literal["json", "list", "table", "code"]

MAX_COUNT: Final = 100_000

_COUNTED: Final = """zero cero|one uno|two dos|three tres|four cuatro|five cinco|six seis
seven siete|eight ocho|nine nueve|ten diez|eleven once|twelve doce|thirteen trece|fourteen catorce
fifteen quince"""
_NUMBER_WORDS: Final[dict[str, int]] = (
    {
        word: value
        for value, pair in enumerate(re.split(r"[|\n]", _COUNTED))
        for word in pair.split()
    }
    | {"a single": 1, "just one": 1, "una sola": 1, "una unica": 1, "una": 1, "un": 1}
    | {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "eighty": 80}
    | {"veinte": 20, "treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "ochenta": 80}
    | {"a hundred": 100, "one hundred": 100, "cien": 100, "two hundred": 200, "doscientas": 200}
    | {"three hundred": 300, "trescientas": 300, "five hundred": 500, "quinientas": 500}
)
_NUMBER: Final = (
    r"(\d{1,6}|" + "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True)).replace(" ", r"\s") + ")"
)
_BOUND: Final = (
    r"(?:in|under|within|below|(?:fewer|less|no more|not more|no longer) than|at most|up to|max\w*"
    r"|maximum of|limit \w+ to|to|about|around|roughly|exactly|only|just|en|a|con"
    r"|menos de|no mas de|maximo(?: de)?|hasta|como (?:mucho|maximo)|unas|de|solo|exactamente"
    r"|aproximadamente|use)"
)
_OPEN: Final = r"(?<!at least )(?<!more than )(?<!over )(?<!al menos )(?<!como minimo )"


def _count_patterns(unit: str) -> tuple[re.Pattern[str], ...]:
    hedge = r"(?:(?:about|around|roughly|exactly|only|just|unas?|solo|menos de|max|maximo) )?"
    return (
        re.compile(rf"\b{_BOUND} {hedge}{_OPEN}(?:the )?{_NUMBER} (?:\w+ )?(?:{unit})\b"),
        re.compile(rf"\b{_NUMBER}[- ](?:{unit})(?: or (?:less|fewer)| max\w*| o menos| como m\w+)"),
        re.compile(rf"\b{_NUMBER}-(?:{unit})\b"),
        re.compile(rf"(?:word limit|limite de palabras)\W+{_NUMBER}()"),
    )


_WORDS: Final = _count_patterns("words?|palabras?")
_SENTENCES: Final = (
    *_count_patterns("sentences?|frases?|oracion(?:es)?")[:3],
    re.compile(rf"^\W*(?:write|give me|escrib\w+|dame) {_NUMBER} (?:\w+ )?(?:sentences?|frases?)"),
)
_SENTENCE_OR_TWO: Final = re.compile(r"\b(?:a sentence or two|una o dos frases|una frase o dos)\b")

_LANGUAGE: Final = "|".join(sorted(LANGUAGE_CODES, key=len, reverse=True))
_NOT_SUBJECT: Final = (
    r"(?! (?:literature|class|grammar|history|course|lesson|exam|teacher|speaking|football"
    r"|cuisine|culture))"
)
_INTO_LANGUAGE: Final = re.compile(
    rf"\b(?:in|into|to|al|en|a|hacia el|para el)(?: the)?(?: \w+)? ({_LANGUAGE})\b{_NOT_SUBJECT}"
)
_LANGUAGE_NOUN: Final = re.compile(
    rf"\b({_LANGUAGE}) (?:translation|version|word|term|equivalent|for)\b"
    rf"|\b(?:version|traduccion|palabra|equivalente) (?:\w+ ){{0,2}}?({_LANGUAGE})\b"
)

_JSON: Final = re.compile(
    r"\b(?:as|in|into|to|en|como|a|formato|format|return|devuelve\w*|output|valid|responde|only"
    r"|produce|genera\w*|give me|dame|using|con|un|objeto|object)(?: \w+){0,3} json\b"
    r"|\bjson (?:format|object|output|array|only|with|con|valido)\b|^\W*json\b|\bjson\W*$"
)
_TABLE: Final = re.compile(
    r"\b(?:as|in|into|make|create|build|give me|using|put)(?: \w+){0,3}? (?:a|the|markdown) "
    r"(?:\w+ )?table\b|\b(?:en|haz\w*|crea\w*|como|dame|con|forma de|formato) (?:\w+ )?tabla\b"
    r"|\btable format\b|\bmarkdown table\b|\btabular\b|\bcomparison table\b|\btabla comparativa\b"
)
_LIST: Final = re.compile(
    r"\bbullet\w*\b|\b(?:numbered|ordered|bulleted) (?:list|points)\b|\b(?:as|in|make|give me|into)"
    r" (?:a|an) (?:\w+ )?list\b|\blist (?:format|form)\b|\bvinetas\b|\blista (?:numerada|de puntos"
    r"|con|ordenada)\b|\b(?:en|como|con|haz\w*|dame|forma de|formato) (?:de )?(?:una )?lista\b"
    r"|\b(?:in|en|into) (?:\w+ ){1,2}(?:points|puntos|items|apartados)\b|\bpor puntos\b"
)
_EXPLAINS: Final = re.compile(
    r"\b(?:explain|explica\w*|explique\w*|what does|que hace|why|por ?que|difference|diferencia"
    r"|describe|review|what is|que es|when should|cuando)\b"
)

_PROGRAMMING: Final = "|".join(
    re.escape(name) for name in sorted(PROGRAMMING_LANGUAGES, key=len, reverse=True)
)
_TARGET_PROGRAMMING: Final = re.compile(
    rf"\b(?:in|into|to|using|with|en|a|al|con|usando)(?: \w+)? ({_PROGRAMMING})(?![\w+#])"
)
_ANY_PROGRAMMING: Final = re.compile(
    rf"(?<![\w.])({_PROGRAMMING})(?![\w+#])(?! (?:\d|and|y)\b)",
)
_SHORT_NAMES: Final = frozenset({"c", "r", "go"})
_SHORT_PROGRAMMING: Final = re.compile(
    r"\b(?:in|into|to|en|a|de|lenguaje|using) (c|r|go)\b(?!')"
    r"|(?<![\w'])(c|r|go) (?:code|program|function|script|codigo)\b"
)
_FENCE_TAG: Final = re.compile(r"```([A-Za-z+#]{1,12})\s*\n")

_TONE: Final = "|".join(sorted(TONES, key=len, reverse=True))
_TONE_PATTERN: Final = re.compile(
    rf"\b({_TONE})(?:,? (?:and|but|y|pero) (?:\w+ )?\w+)? (?:tone|style|voice|way|manner|register"
    r"|e-?mail|letter|message|note|reply|response|invitation|language)\b"
    rf"|\b(?:tono|estilo|registro|forma|manera|lenguaje|correo|carta|mensaje|nota|respuesta"
    rf"|invitacion|texto|email) (?:mas |muy |un poco )*({_TONE})\b"
    rf"|\b(?:more|less formal|sounds?|be|stay|keep it|very|mas|suene|sea|muy|se|tone) (?:\w+ )?"
    rf"({_TONE})\b|\b({_TONE})(?:ly|mente)\b"
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the text itself asks for; None where it does not say.

    ``answer_language`` is an ISO 639-1 code, and for a translation its target. ``max_words`` and
    ``max_sentences`` are at least 1. ``programming_language`` and ``tone`` are lower-case English
    names.
    """

    answer_language: str | None = None
    max_words: int | None = None
    max_sentences: int | None = None
    response_format: ResponseShape | None = None
    programming_language: str | None = None
    tone: str | None = None

    @property
    def num_stated(self) -> int:
        """How many wishes the text states."""
        stated = (
            self.answer_language,
            self.max_words,
            self.max_sentences,
            self.response_format,
            self.programming_language,
            self.tone,
        )
        return sum(wish is not None for wish in stated)


def find_wishes(excerpt: Excerpt, task_type: TaskType) -> Wishes:
    """The wishes that the instruction states, read from its opening and its ending."""
    asked = f"{excerpt.folded_head} {excerpt.folded_tail}".strip()
    return Wishes(
        answer_language=_answer_language(asked, task_type),
        max_words=_first_count(_WORDS, asked),
        max_sentences=2 if _SENTENCE_OR_TWO.search(asked) else _first_count(_SENTENCES, asked),
        response_format=_response_format(asked, task_type),
        programming_language=_programming_language(excerpt, asked, task_type),
        tone=_tone(asked),
    )


def _first_group(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group)


def _answer_language(asked: str, task_type: TaskType) -> str | None:
    targets = [_first_group(match) for match in _LANGUAGE_NOUN.finditer(asked)]
    targets = targets or _INTO_LANGUAGE.findall(asked)
    if not targets and task_type is TaskType.TRANSLATE:
        targets = re.findall(rf"\b({_LANGUAGE})\b", asked)[-1:]
    return LANGUAGE_CODES[targets[-1]] if targets else None


def _first_count(patterns: tuple[re.Pattern[str], ...], asked: str) -> int | None:
    for pattern in patterns:
        match = pattern.search(asked)
        if match:
            stated = match.group(1)
            count = int(stated) if stated.isdecimal() else _NUMBER_WORDS[stated]
            if 1 <= count <= MAX_COUNT:
                return count
    return None


def _response_format(asked: str, task_type: TaskType) -> ResponseShape | None:
    if task_type is TaskType.CODE:
        return None if _EXPLAINS.search(asked) else "code"
    if _JSON.search(asked):
        return "json"
    if _TABLE.search(asked):
        return "table"
    return "list" if _LIST.search(asked) else None


def _programming_language(excerpt: Excerpt, asked: str, task_type: TaskType) -> str | None:
    target = _TARGET_PROGRAMMING.search(asked)
    if target:
        return PROGRAMMING_LANGUAGES[target.group(1)]
    if task_type is not TaskType.CODE:
        return None
    short = _SHORT_PROGRAMMING.search(asked)
    if short:
        return _first_group(short)
    named = _ANY_PROGRAMMING.search(asked) or _FENCE_TAG.search(excerpt.sample)
    return PROGRAMMING_LANGUAGES.get(named.group(1).lower()) if named else None


def _tone(asked: str) -> str | None:
    match = _TONE_PATTERN.search(asked)
    return TONES[_first_group(match)] if match else None
