"""One line of an answer, taken from the answer itself; pure.

The sentence whose words are the most frequent in the whole answer stands for it (Luhn 1958, "The
automatic creation of literature abstracts"), with a bonus for standing early: people put what
matters first (the lead bias that news summarizers are measured against).
"""

import math
from collections import Counter
from typing import Final

from actors.summarizer.description import describe_code, describe_json, is_spanish
from actors.summarizer.fences import split_fences
from actors.summarizer.graphemes import cut
from actors.summarizer.plain import one_line, visible, without_markup
from actors.summarizer.sentences import sentences
from actors.summarizer.words import WORD, content_words

MAX_SUMMARY_CHARS: Final = 160
# Later sentences of a long answer hardly ever win, and cost as much as the first.
_MAX_SENTENCES: Final = 4000
_MIN_WORDS: Final = 4
_GOOD_WORDS: Final = 25
_EARLY_BONUS: Final = 1.0
# An introduction announces what follows ("Here are five reasons:") and says nothing itself.
_INTRODUCTION_FACTOR: Final = 0.3
_QUESTION_FACTOR: Final = 0.6


def summarize_output(output: str, language: str | None = None) -> str:
    """At most 160 characters on one line that say what ``output`` is about.

    JSON and code are described; prose is represented by its best sentence. ``language`` (ISO
    639-1) chooses the words of a description; English where it is not Spanish.
    """
    text = visible(output).strip()
    if not text:
        return "Sin respuesta." if is_spanish(language) else "No answer."
    parts = split_fences(text)
    described = describe_json(text, parts, language)
    if described is None:
        described = best_sentence(parts.prose) or describe_code(text, parts, language)
    return cut(one_line(described) or one_line(text), MAX_SUMMARY_CHARS, mark="…")


def best_sentence(text: str) -> str:
    """The sentence that says most about ``text``; empty when it has none."""
    lines = "\n".join(without_markup(line) for line in text.splitlines())
    found: list[str] = []
    for sentence in sentences(lines):
        if WORD.search(sentence):
            found.append(sentence)
        if len(found) == _MAX_SENTENCES:
            break
    if not found:
        return ""
    words = [content_words(sentence) for sentence in found]
    counts = Counter(word for sentence in words for word in set(sentence))
    scores = [
        _score(sentence, words[index], counts, index, len(found))
        for index, sentence in enumerate(found)
    ]
    return found[scores.index(max(scores))]


def _score(
    sentence: str, words: list[str], counts: Counter[str], index: int, num_sentences: int
) -> float:
    """Mean frequency of its words, damped for length, with a bonus for standing early."""
    distinct = set(words)
    weight = sum(counts[word] for word in distinct) / num_sentences
    length = max(len(distinct), 1)
    score = weight / length * math.sqrt(min(length, _GOOD_WORDS)) + _EARLY_BONUS / (1 + index)
    if length < _MIN_WORDS and num_sentences > 1:
        score *= length / _MIN_WORDS
    if sentence.endswith(":"):
        score *= _INTRODUCTION_FACTOR
    if sentence.endswith("?"):
        score *= _QUESTION_FACTOR
    return score
