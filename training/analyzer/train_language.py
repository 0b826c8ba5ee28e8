"""Trains the language profiles: ``python -m training.analyzer.train_language``.

A multinomial logistic regression over words and parts of words, fitted on the prompts' openings,
on ``languages/*.txt``, and on short cuts of both, so that one to three words suffice.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from actors.analyzer.excerpt import Excerpt
from actors.analyzer.language import PROFILES_FILE, split_words, word_pieces
from training.analyzer.corpus import FOLDER, Corpus, read_lines
from training.analyzer.linear_model import FitOptions, LinearModel, fit

LANGUAGES: Final = ("en", "es", "fr", "de", "it", "pt", "nl", "ca")
TARGET = Path(__file__).parents[2] / "actors" / "analyzer" / PROFILES_FILE
SEED = 11
OPTIONS: Final = FitOptions(
    min_count=2, l1=1e-6, l2=2e-5, num_steps=200, learning_rate=0.03, label_smoothing=0.01
)
SCALE = 32
MIN_WEIGHT = 0.06
MIN_WORD_COUNT = 6
# Samples of a language with little text are drawn more often, up to about this many.
NUM_SAMPLES_EACH = 2500
NUM_SAMPLES_EXPECTED = 6000
EXPECTED: Final = frozenset({"en", "es"})
# Prompts are expected in English or Spanish: a word that could be either or Catalan is not Catalan.
FAVOUR: Final = torch.tensor([1.2, 1.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])


def collect(corpus: Corpus) -> dict[str, list[list[str]]]:
    """Word lists by language: whole openings and lines."""
    texts: dict[str, list[list[str]]] = {language: [] for language in LANGUAGES}
    for line in corpus.written():
        plain = line.prompt
        for slot in ("text", "data", "code", "short", "word", "foreign", "lang"):
            plain = plain.replace(f"{{{slot}}}", " ")
        texts[line.language].append(split_words(Excerpt.of(plain).head))
    for path in sorted((FOLDER / "material").glob("*.??.txt")):
        language = path.stem.rpartition(".")[2]
        texts[language] += [split_words(line) for line in read_lines(path)]
    for language in LANGUAGES:
        path = FOLDER / "languages" / f"{language}.txt"
        texts[language] += [split_words(line) for line in read_lines(path)]
    return {language: [words for words in rows if words] for language, rows in texts.items()}


def cut(texts: dict[str, list[list[str]]]) -> list[tuple[list[str], int]]:
    """Samples of one word to a whole line, about as many for each language."""
    rng = random.Random(SEED)
    samples: list[tuple[list[str], int]] = []
    for index, language in enumerate(LANGUAGES):
        rows = texts[language]
        samples += [(row, index) for row in rows]
        for _ in range(NUM_SAMPLES_EXPECTED if language in EXPECTED else NUM_SAMPLES_EACH):
            row = rng.choice(rows)
            length = rng.choice((1, 1, 2, 2, 3, 4, 6))
            start = rng.randrange(max(1, len(row) - length + 1))
            samples.append((row[start : start + length], index))
    return samples


def features_of(words: list[str]) -> dict[str, float]:
    """Counts of words (``=word``) and of their parts."""
    counts: Counter[str] = Counter()
    for word in words:
        counts[f"={word}"] += 1
        counts.update(word_pieces(word))
    return {name: float(count) for name, count in counts.items()}


def export(model: LinearModel, samples: Sequence[tuple[list[str], int]]) -> None:
    """Write the profiles: pieces as learnt, known words with their pieces already added up."""
    rows = {name: row - row.mean() for name, row in model.weights.items()}
    pieces = {
        name: _integers(row)
        for name, row in rows.items()
        if not name.startswith("=") and float(row.abs().max()) >= MIN_WEIGHT
    }
    counts = Counter(word for words, _ in samples for word in set(words))
    words = {}
    for word in sorted(word for word, count in counts.items() if count >= MIN_WORD_COUNT):
        parts = [rows[name] for name in (f"={word}", *word_pieces(word)) if name in rows]
        words[word] = _integers(torch.stack(parts).sum(dim=0))
    document = {
        "languages": list(LANGUAGES),
        "scale": SCALE,
        "prior": _integers(model.bias + FAVOUR),
        "words": words,
        "pieces": pieces,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"{TARGET.name}: {len(words)} words, {len(pieces)} pieces, {len(text) // 1024} KiB")


def _integers(row: torch.Tensor) -> list[int]:
    return [round(value * SCALE) for value in row.tolist()]


def train_and_export() -> None:
    """Collect, fit, export."""
    samples = cut(collect(Corpus()))
    print(f"{len(samples)} samples, {Counter(LANGUAGES[label] for _, label in samples)}")
    features = [features_of(words) for words, _ in samples]
    labels = [label for _, label in samples]
    export(fit(features, labels, len(LANGUAGES), OPTIONS), samples)


if __name__ == "__main__":
    train_and_export()
