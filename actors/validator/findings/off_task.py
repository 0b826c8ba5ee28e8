"""The output does not do what was asked. Very cautious: only what can be seen plainly."""

import re

from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.folding import fold, folded_words
from actors.validator.intent import MATH, REFUSAL, SUMMARIZE, TRANSLATE
from actors.validator.language import FUNCTION_WORDS, detect_language
from actors.validator.topic import are_far_apart, singular, topics_of

_CODE_SIGN = re.compile(
    r"[{}<>]|\blambda\b|(?<=\w) [-+*/|&]?= (?=\S)|[\w\])]\(|\w\.\w+\(|[^\s=]=|==|=>|;\s*$|"
    r"^\s*(def|class|import|from|return|SELECT|select|"
    r"CREATE|UPDATE|INSERT|DELETE|FROM|WHERE|#!|\$|@|//)|\\[dwsb]|\[[^\]]+\][*+?]|^\s*\^|\$\s*$|"
    r"^\s*(ls|cd|grep|find|git|docker|curl|mkdir|rm|cp|mv|awk|sed|chmod|tar|npm|pip|cat|ps|du|"
    r"df)\b|"
    r"\bSELECT\b|`",
    re.MULTILINE,
)
_NUMBER_WORD = re.compile(
    r"\b(zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|"
    r"forty|"
    r"fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|half|third|quarter|double|dozen|"
    r"infinit\w+|imaginar\w+|undefined|cero|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|"
    r"catorce|quince|dieci\w+|veint\w+|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|"
    r"cien|ciento|mil|millon|mitad|tercio|doble|docena|indefinid\w+)\b"
)
# Words that answer a calculation only where they are most of the answer, or a yes or no is asked.
_WEAK_NUMBER_WORD = re.compile(
    r"\b(none|no|yes|true|false|prime|even|odd|same|equal|uno|si|verdadero|falso|primo|"
    r"par|impar|igual|ninguno|single|pair|solution|solucion)\b"
)
_MAX_WEAK_WORDS = 6
_SUM = re.compile(
    r"^\W*(?:what is|what's|how much is|calculate|compute|cuanto (?:es|son|da)|calcula)?\W*"
    r"\d[\d.,]*"
    r" ?(?:[-+*/x×÷^]|plus|minus|times|divided by|multiplied by|por|mas|menos|entre|dividido)"
    r" ?(?:entre |por )?\d[\d.,]*\W*$"
)
_MIN_SPELLED_SHARE = 0.2
_NUM_CLOSING_WORDS = 3
_CLOSED_QUESTION = re.compile(r"\W*(is|are|does|do|can|es|son|tiene|verdadero|true|which|cual)\b")
_MIN_SOURCE_WORDS = 30
_MIN_COPIED_WORDS = 3
_SENTENCE_END = re.compile(r"[.!?](?=\s|[\"'”»)]|$)")
_MAX_SENTENCE_WORDS = 40
_YES_NO = re.compile(r"(yes|no|of course|si|claro|por supuesto)\b")
_LOREM = re.compile(r"\blorem ipsum\b|\bdolor sit amet\b|\bconsectetur adipiscing\b")
_LOREM_ASKED = re.compile(
    r"lorem|placeholder|filler|dummy|relleno|latin|ipsum|typesetting|design|diseno"
)
_MIN_UNRELATED_WORDS = 8
_MIN_ANSWER_WORDS = 10
_MIN_TOPIC_WORDS = 2
_MIN_SUMMARIZED_WORDS = 15
_MIN_LONG_UNRELATED_WORDS = 30
_MAX_QUESTION_WORDS = 25
_STEM_CHARS = 4
_MIN_STEM_WORD = 3
_STOP_WORDS = frozenset(fold(word) for code in ("en", "es") for word in FUNCTION_WORDS[code])
_QUESTION = re.compile(
    r"\W*(what|who|whom|when|where|why|how|which|explain|describe|define|tell me about|is|are|do|"
    r"does|did|was|que|quien|cuando|donde|por que|como|cual|cuant[oa]s?|explica\w*|define|"
    r"cuentame|hablame|describe)\b"
)
_QUANTITY = re.compile(
    r"\b(how (long|many|much|far|often|tall|old|big|high|deep|fast)|when|what time|what year|"
    r"cuant[oa]s?|cuando|que (hora|ano|edad|altura))\b"
)
_DIGIT = re.compile(r"\d")
# What is invented or listed may be about anything.
_FREE_SUBJECT = re.compile(
    r"\b(poem|poema|song|cancion|story|cuento|historia|playlist|topics?|temas?|names?|nombres?|ideas?|"
    r"list|lista|lyrics|letra|haiku|verse|verso|joke|chiste|riddle|adivinanza|style|estilo|quote|cita|"
    r"metaphors?|metaforas?|essay|ensayo|blog|come up|brainstorm)\b"
)
# "Describe a day at the market" is asked of the imagination.
_SCENE = re.compile(r"\W*(describe|describ\w+) (a|an|un|una|your|the perfect|tu|el mejor)\b")
# An answer that names its subject with a pronoun need not have a word of the question.
_ELLIPTIC = re.compile(r"\W*(because|since|it|its|it's|they|he|she|porque|ya que|es|son)\b")
_PERSONAL = re.compile(
    r"\b(i|i'm|i've|my|me|you|your|mi|mis|tu|te|yo|we|our|us|this|following|these|below|esto|este|"
    r"esta|siguiente)\b"
)
_STRONG = 80


def find_off_task(exchange: Exchange) -> Finding | None:
    """What was asked for is plainly not there."""
    if not exchange.output:
        return None
    if _LOREM.search(fold(exchange.text)) and not _LOREM_ASKED.search(fold(exchange.prompt)):
        return _finding("The output is placeholder text.")
    if REFUSAL.search(fold(exchange.text[:300])):
        # Saying honestly that one cannot or does not know is an answer.
        return None
    detail = (
        _no_code(exchange)
        or _no_number(exchange)
        or _not_translated(exchange)
        or _not_shorter(exchange)
        or _unrelated(exchange)
        or _other_summary(exchange)
    )
    return _finding(detail) if detail else None


def _no_code(exchange: Exchange) -> str | None:
    if not exchange.wants_code or exchange.fences or exchange.output.endswith("?"):
        return None
    if exchange.prompt.endswith("?") and _YES_NO.match(fold(exchange.output)):
        return None
    if _CODE_SIGN.search(exchange.text) or len(exchange.words) < 4:  # noqa: PLR2004
        return None
    return "Code was asked for, and there is none."


def _no_number(exchange: Exchange) -> str | None:
    if exchange.wants_code or not exchange.intent.asks(MATH):
        return None
    if exchange.task_type not in {None, "math"} or not re.search(r"\d", exchange.prompt):
        return None
    if exchange.task_type is None and len(exchange.prompt_words) > _MAX_QUESTION_WORDS:
        return None
    folded = fold(exchange.text)
    if re.search(r"[\d=+√π∞]", exchange.text) or _says_number(exchange, folded):
        return None
    is_closed = _CLOSED_QUESTION.match(fold(exchange.prompt)) is not None
    if (is_closed or len(exchange.words) <= _MAX_WEAK_WORDS) and _WEAK_NUMBER_WORD.search(folded):
        return None
    if re.search(r"[²³^]|\b[xz]\b|\by ?[=<>+-]", exchange.text):
        return None
    return "A calculation was asked for, and there is no number."


def _says_number(exchange: Exchange, folded: str) -> bool:
    """Whether a number is spelled out: by the way is not enough where a sum is to be done."""
    num_found = len(_NUMBER_WORD.findall(folded))
    ending = " ".join(exchange.words[-_NUM_CLOSING_WORDS:])
    if num_found and _NUMBER_WORD.search(ending):
        return True
    if not _SUM.search(fold(exchange.prompt)) or len(exchange.words) < _MIN_UNRELATED_WORDS:
        return num_found > 0
    return num_found >= len(exchange.words) * _MIN_SPELLED_SHARE


def _not_translated(exchange: Exchange) -> str | None:
    if exchange.task_type not in {None, "translate"} or not exchange.intent.asks(TRANSLATE):
        return None
    source = folded_words(exchange.intent.source)
    if len(source) < 2 or _is_name(exchange.intent.source):  # noqa: PLR2004
        return None
    if source == list(exchange.words):
        return "A translation was asked for, and the text is the same."
    return None


def _is_name(text: str) -> bool:
    return all(word[0].isupper() or not word[0].isalpha() for word in text.split())


def _not_shorter(exchange: Exchange) -> str | None:
    if exchange.task_type not in {None, "summarize"} or not exchange.intent.asks(SUMMARIZE):
        return None
    source = exchange.intent.source
    num_source, num_words = len(folded_words(source)), len(exchange.words)
    num_sentences = len(_SENTENCE_END.findall(source))
    if num_source > num_sentences * _MAX_SENTENCE_WORDS:
        # Notes or a title, which a summary has to spell out.
        return None
    if num_source >= _MIN_SOURCE_WORDS:
        too_long = num_words >= num_source * 0.97
    else:
        too_long = num_source >= _MIN_COPIED_WORDS and num_words >= num_source * 1.5 + 4
    if not too_long:
        return None
    return "A summary was asked for, and it is as long as the text."


def _unrelated(exchange: Exchange) -> str | None:
    """No word in common, and another subject altogether."""
    if len(exchange.words) < _MIN_UNRELATED_WORDS or exchange.task_type == "translate":
        return None
    if exchange.intent.asks(TRANSLATE) or exchange.wants_json or exchange.wants_code:
        return None
    ours, theirs = _stems(exchange.prompt_words), _stems(exchange.words)
    if not ours or ours & theirs or not _has_other_subject(exchange):
        return None
    return "The output is about something else."


def _other_summary(exchange: Exchange) -> str | None:
    """A summary in the language of its text has some word of it; this has none."""
    source, words = exchange.intent.source, exchange.words
    if not exchange.intent.asks(SUMMARIZE) or len(words) < _MIN_UNRELATED_WORDS:
        return None
    if exchange.wants_json or len(folded_words(source)) < _MIN_SUMMARIZED_WORDS:
        return None
    language = detect_language(source)
    if language is None or language != detect_language(exchange.prose):
        return None
    if _stems(exchange.prompt_words) & _stems(words):
        return None
    return "A summary was asked for, and it has no word of the text."


def _has_other_subject(exchange: Exchange) -> bool:
    is_question = _is_plain_question(exchange)
    if _ELLIPTIC.match(fold(exchange.text)) or _SCENE.match(fold(exchange.prompt)):
        return False
    if is_question and _QUANTITY.search(fold(exchange.prompt)) and _DIGIT.search(exchange.text):
        return False
    num_words = len(exchange.words)
    if is_question and num_words >= _MIN_LONG_UNRELATED_WORDS:
        return True
    of_prompt, of_output = topics_of(exchange.prompt_words), topics_of(exchange.words)
    if of_prompt.keys() & of_output.keys():
        return False
    strongest = max(of_output.values(), default=0)
    if strongest <= _MIN_TOPIC_WORDS and not are_far_apart(of_prompt, of_output):
        return False
    if of_prompt and (is_question or not exchange.intent.asks(_FREE_SUBJECT)):
        return sum(of_output.values()) >= _MIN_TOPIC_WORDS
    return is_question and strongest > _MIN_TOPIC_WORDS


def _is_plain_question(exchange: Exchange) -> bool:
    """A question about the world, not about a person or about a text that comes with it."""
    folded = fold(exchange.prompt)
    return (
        not exchange.intent.source
        and len(exchange.prompt_words) <= _MAX_QUESTION_WORDS
        and _QUESTION.match(folded) is not None
        and _SCENE.match(folded) is None
        and _PERSONAL.search(folded.replace("tell me", "")) is None
    )


def _stems(words: tuple[str, ...]) -> set[str]:
    return {
        singular(word)[:_STEM_CHARS]
        for word in words
        if len(word) >= _MIN_STEM_WORD and not word.isdigit() and word not in _STOP_WORDS
    }


def _finding(detail: str) -> Finding:
    return Finding(FindingName.OFF_TASK, detail, _STRONG)
