"""Which kind of work a prompt asks for."""

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Self

from actors.analyzer.excerpt import Excerpt
from actors.analyzer.features import make_features
from contracts.prompt import TaskType

WEIGHTS_FILE: Final = "task_type_weights.json"

# What is said of a prompt without a single word or number: nothing to work on, so small talk.
WORDLESS_CONFIDENCE: Final = 0.5


class TaskTypeClassifier:
    """A multinomial logistic regression over features that a prompt has or has not.

    ``weights`` holds log odds by feature name, one for each of ``labels``; ``bias`` those of a
    prompt without any known feature. All are integers, in units of ``1 / scale``: their sum is
    exact, so that it does not depend on the order.
    """

    def __init__(
        self,
        labels: tuple[TaskType, ...],
        scale: int,
        bias: tuple[int, ...],
        weights: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._labels = labels
        self._scale = scale
        self._bias = bias
        self._weights = weights

    @classmethod
    @cache
    def packaged(cls) -> Self:
        """The classifier that ships with the package, read once."""
        data = json.loads(files(__package__).joinpath(WEIGHTS_FILE).read_text(encoding="utf-8"))
        return cls(
            tuple(TaskType(label) for label in data["labels"]),
            data["scale"],
            tuple(data["bias"]),
            {name: tuple(row) for name, row in data["weights"].items()},
        )

    def classify(self, excerpt: Excerpt) -> tuple[TaskType, float]:
        """The likeliest task type and the probability given to it."""
        if not any(char.isalnum() for char in excerpt.sample):
            return TaskType.CHAT, WORDLESS_CONFIDENCE
        rows = [row for name in make_features(excerpt) if (row := self._weights.get(name))]
        totals = [sum(column) for column in zip(self._bias, *rows, strict=True)]
        best = max(totals)
        odds = sum(math.exp((total - best) / self._scale) for total in totals)
        return self._labels[totals.index(best)], 1.0 / odds
