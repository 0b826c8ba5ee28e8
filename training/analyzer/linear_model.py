"""Multinomial logistic regression over named, sparse features."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How the model is fitted; penalties are per weight, on the mean loss."""

    min_count: int
    l1: float
    l2: float
    num_steps: int
    learning_rate: float
    label_smoothing: float = 0.02


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Weights by feature name (one a label), and a bias (labels)."""

    weights: dict[str, torch.Tensor]
    bias: torch.Tensor

    def scores(self, features: Mapping[str, float]) -> torch.Tensor:
        """Log odds, one for each label."""
        total = self.bias.clone()
        for name, value in features.items():
            row = self.weights.get(name)
            if row is not None:
                total += value * row
        return total


def fit(
    features: Sequence[Mapping[str, float]],
    labels: Sequence[int],
    num_labels: int,
    options: FitOptions,
) -> LinearModel:
    """Fit by full-batch Adam from zero weights: no randomness, one thread."""
    torch.set_num_threads(1)
    counts = Counter(name for row in features for name in row)
    names = sorted(name for name, count in counts.items() if count >= options.min_count)
    vocabulary = {name: index for index, name in enumerate(names)}
    indices: list[int] = []
    values: list[float] = []
    offsets: list[int] = []
    for row in features:
        offsets.append(len(indices))
        for name, value in row.items():
            if name in vocabulary:
                indices.append(vocabulary[name])
                values.append(value)
    weights = torch.zeros(len(names), num_labels, requires_grad=True)
    bias = torch.zeros(num_labels, requires_grad=True)
    inputs, starts, scales = torch.tensor(indices), torch.tensor(offsets), torch.tensor(values)
    targets = torch.tensor(labels)
    optimizer = torch.optim.Adam([weights, bias], lr=options.learning_rate)
    for step in range(options.num_steps):
        remaining = 1 - step / options.num_steps
        optimizer.param_groups[0]["lr"] = options.learning_rate * (remaining + 0.03)
        optimizer.zero_grad()
        logits = bias + torch.nn.functional.embedding_bag(
            inputs, weights, starts, mode="sum", per_sample_weights=scales
        )
        loss = torch.nn.functional.cross_entropy(
            logits, targets, label_smoothing=options.label_smoothing
        )
        loss = loss + options.l2 * weights.square().sum() + options.l1 * weights.abs().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    rows = weights.detach()
    return LinearModel({name: rows[index] for name, index in vocabulary.items()}, bias.detach())
