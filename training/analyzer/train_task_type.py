"""Trains the task type model: ``python -m training.analyzer.train_task_type``.

``--cross-validate`` fits on four fifths of the written lines and prints how many prompts made of
the others are told right, for all features and without the cues, and for the cues alone.
"""

import argparse
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from actors.analyzer.excerpt import Excerpt
from actors.analyzer.features import make_features
from actors.analyzer.task_type import WEIGHTS_FILE
from contracts.prompt import TaskType
from training.analyzer.corpus import Corpus, Example
from training.analyzer.linear_model import FitOptions, LinearModel, fit

TARGET = Path(__file__).parents[2] / "actors" / "analyzer" / WEIGHTS_FILE
LABELS: Final = tuple(TaskType)
OPTIONS: Final = FitOptions(min_count=3, l1=1e-5, l2=2e-5, num_steps=300, learning_rate=0.05)
SCALE: Final = 64
# Smaller weights than this decide nothing and only make the file longer.
MIN_WEIGHT: Final = 0.05
NUM_PARTS: Final = 5


def is_cue(name: str) -> bool:
    """Whether a feature comes from the cues rather than from words."""
    return "." in name and ":" not in name


def train(examples: Sequence[Example], keep: Callable[[str], bool] = lambda _: True) -> LinearModel:
    """Fit on ``examples``, with the features that ``keep`` accepts."""
    features = [_kept(featurize(example.prompt), keep) for example in examples]
    labels = [LABELS.index(TaskType(example.task_type)) for example in examples]
    return fit(features, labels, len(LABELS), OPTIONS)


def featurize(prompt: str) -> dict[str, float]:
    """The features of a prompt as the classifier makes them."""
    return dict.fromkeys(make_features(Excerpt.of(prompt)), 1.0)


def accuracy(
    model: LinearModel, examples: Sequence[Example], keep: Callable[[str], bool] = lambda _: True
) -> float:
    """The fraction of ``examples`` told right."""
    num_right = 0
    for example in examples:
        scores = model.scores(_kept(featurize(example.prompt), keep))
        num_right += LABELS[int(scores.argmax())] == example.task_type
    return num_right / len(examples)


def export(model: LinearModel) -> None:
    """Write the weights as integers, without those that decide nothing."""
    rows = {
        name: (weights * SCALE).round().int().tolist()
        for name, weights in sorted(model.weights.items())
        if float(weights.abs().max()) >= MIN_WEIGHT
    }
    document = {
        "labels": list(LABELS),
        "scale": SCALE,
        "bias": (model.bias * SCALE).round().int().tolist(),
        "weights": rows,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"{TARGET.name}: {len(rows)} features, {len(text) // 1024} KiB")


def cross_validate(examples: Sequence[Example]) -> None:
    """Print accuracies on prompts made of written lines that were not learnt from."""
    held = [zlib.crc32(example.source.encode()) % NUM_PARTS == 0 for example in examples]
    learnt = [example for example, out in zip(examples, held, strict=True) if not out]
    unseen = [example for example, out in zip(examples, held, strict=True) if out]
    for title, keep in (
        ("words and cues", lambda _: True),
        ("words only", lambda name: not is_cue(name)),
        ("cues only", is_cue),
    ):
        model = train(learnt, keep)
        print(f"{title}: {accuracy(model, unseen, keep):.3f} of {len(unseen)} unseen prompts")


def _kept(features: Mapping[str, float], keep: Callable[[str], bool]) -> dict[str, float]:
    return {name: value for name, value in features.items() if keep(name)}


def main() -> None:
    """Fit and export, or cross-validate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cross-validate", action="store_true")
    arguments = parser.parse_args()
    examples = Corpus().examples()
    print(f"{len(examples)} prompts")
    if arguments.cross_validate:
        cross_validate(examples)
    else:
        export(train(examples))


if __name__ == "__main__":
    main()
