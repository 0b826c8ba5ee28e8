"""A title for a run, taken from its prompt; pure."""

import re
from typing import Final

from actors.summarizer.description import describe_code, describe_json, is_spanish
from actors.summarizer.fences import Parts, split_fences
from actors.summarizer.graphemes import cut
from actors.summarizer.plain import one_line, visible, without_markup
from actors.summarizer.sentences import sentences
from actors.summarizer.words import FUNCTION_WORDS, WORD, fold_word

MAX_TITLE_CHARS: Final = 60
# Only the beginning can become a title; the rest of a prompt is not looked at.
_MAX_READ_CHARS: Final = 4096
_MAX_SENTENCES: Final = 8

_GREETING = re.compile(
    r"""^[\s,.!¡¿;:–—-]*(?:
      hello|hi|hey|howdy|greetings|good\ (?:morning|afternoon|evening|day)|dear\ \w{1,20}
      |hola|buenas\ (?:tardes|noches)|buenos\ d[ií]as|buenas|saludos|qu[eé]\ tal|estimad[oa]s?
    )(?:[ ](?:there|again|all|everyone|assistant|friend|amig[oa]s?|a\ todos|de\ nuevo))?
    (?=[\s,.!?¡¿;:–—-]|$)[\s,.!?¡¿;:–—-]*""",
    re.IGNORECASE | re.VERBOSE,
)
_POLITENESS = re.compile(
    r"""^[\s,.!¡¿;:–—-]*(?:
      please|kindly|thanks|thank\ you
      |(?:can|could|would|will)\ you(?:\ please)?(?:\ (?:help\ me(?:\ (?:to|with))?
          |(?:tell|give|show)\ me))?
      |i(?:\ would|'d|’d)\ like\ (?:you\ )?to(?:\ (?:know|ask(?:\ you)?))?
      |i\ (?:want|need)\ (?:you\ )?to(?:\ know)?
      |help\ me(?:\ (?:to|with))?|tell\ me|let\ me\ know
      |do\ you\ (?:know|think\ you\ (?:can|could))|would\ you\ mind
      |por\ favor|porfa(?:vor)?|gracias
      |(?:me\ )?(?:puedes?|podr[ií]as?|podr[ií]a\ usted|quieres)
          (?:\ (?:por\ favor|decir|ayudar(?:me)?\ (?:a|con)|(?:decir|dar|explicar|mostrar)me))?
      |(?:quiero|quisiera|me\ gustar[ií]a|necesito)
          (?:\ (?:que\ me\ (?:digas|expliques|ayudes\ (?:a|con))|saber|que))?
      |ay[uú]dame\ (?:a|con)|dime|d[ií]game|sabes
    )(?=[\s,.!?¡¿;:–—-]|$)[\s,.!?¡¿;:–—-]*""",
    re.IGNORECASE | re.VERBOSE,
)
_TRAILING_POLITENESS = re.compile(
    r"[\s,;–—-]{1,4}(?:please|thanks(?: a lot| in advance)?|thank you(?: very much)?"
    r"|por favor|porfa|(?:muchas )?gracias(?: de antemano)?)[\s.,;:!?…–—-]*$",
    re.IGNORECASE,
)
# Sentences that ask for nothing, where another one follows.
_SMALL_TALK = re.compile(
    r"(?:thanks|thank you|gracias|how are you|how(?: i|')s it going|i hope|hope you|nice to meet"
    r"|c[oó]mo est[aá]s?|c[oó]mo te va|qu[eé] tal|espero que|encantad[oa])\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"(?:[;:]|,)\s|\s[–—-]\s|\s\(")
_TRAILING = " \t.,;:!?…。！？、，；：؟،–—-"
_LEADING = " \t.,;:!?…¡¿–—-"
_MIN_CLAUSE_CHARS: Final = 12
_PAIRS: Final = {")": "(", "]": "[", "}": "{", "”": "“", "»": "«"}


def make_title(prompt: str, language: str | None = None) -> str:
    """At most 60 characters that name what ``prompt`` asks: its first clause, without greetings.

    Never cut within a word where there is a space to cut at, never within a grapheme, and
    without punctuation at the end.
    """
    text = visible(prompt[:_MAX_READ_CHARS]).strip()
    parts = split_fences(text)
    described = describe_json(prompt.strip(), parts, language)
    title = "" if described else _first_clause(parts)
    title = title or described or describe_code(text, parts, language) or one_line(text)
    return _trimmed(title) or ("Sin título" if is_spanish(language) else "Untitled")


def _first_clause(parts: Parts) -> str:
    """The first clause that says more than hello."""
    lines = "\n".join(without_markup(line) for line in parts.prose.splitlines())
    first = talk = ""
    for index, sentence in enumerate(sentences(lines)):
        if index == _MAX_SENTENCES:
            break
        plain = one_line(sentence)
        first = first or plain
        asked = _without_politeness(plain)
        if not WORD.search(asked):
            continue
        if not _SMALL_TALK.match(plain.lstrip(_LEADING)):
            return _clause(asked)
        talk = talk or plain
    return _clause(talk or first)


def _without_politeness(sentence: str) -> str:
    while True:
        shorter = _POLITENESS.sub("", _GREETING.sub("", sentence))
        if shorter == sentence:
            return _TRAILING_POLITENESS.sub("", sentence)
        sentence = shorter


def _clause(sentence: str) -> str:
    """``sentence`` up to the last clause that fits a title."""
    if len(sentence) <= MAX_TITLE_CHARS:
        return sentence
    ends = [found.start() for found in _CLAUSE_END.finditer(sentence[: MAX_TITLE_CHARS + 2])]
    fitting = [end for end in ends if _MIN_CLAUSE_CHARS <= end <= MAX_TITLE_CHARS]
    return sentence[: fitting[-1]] if fitting else sentence


def _trimmed(title: str) -> str:
    """``title`` within its limit, without loose ends, beginning with a capital."""
    title = title.lstrip(_LEADING)
    short = cut(title, MAX_TITLE_CHARS)
    if len(short) < len(title.rstrip(_TRAILING)):
        short = _without_dangling(short)
    return _capitalized(_balanced(short.rstrip(_TRAILING)))


def _capitalized(title: str) -> str:
    """``title`` with a capital, unless it begins with a name of its own: iPhone, main.py."""
    word = title.partition(" ")[0].strip("\"'“«([")
    capital = title[:1].upper()
    plain = word.replace("'", "").replace("’", "").replace("-", "")
    return (
        capital + title[1:] if plain.isalpha() and word.islower() and len(capital) == 1 else title
    )


def _without_dangling(title: str) -> str:
    """``title`` without articles and prepositions that have lost what they stood before."""
    words = title.split(" ")
    while len(words) > 1 and fold_word(words[-1].strip(_TRAILING)) in FUNCTION_WORDS:
        words.pop()
    return " ".join(words)


def _balanced(title: str) -> str:
    """``title`` without a bracket or quotation mark that is opened and never closed."""
    for closing, opening in _PAIRS.items():
        if title.count(opening) > title.count(closing):
            before, _, after = title.rpartition(opening)
            title = f"{before}{after}" if len(before) < _MIN_CLAUSE_CHARS else before
    if title.count('"') % 2:
        title = title.replace('"', "")
    return title.strip(_TRAILING)
