"""Choosing next tokens: each request by its own parameters, generator and grammar."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import LogitsProcessor

from providers.generation_job import GenerationJob
from providers.local.json_constraint import JsonConstraint


@dataclass(slots=True)
class TokenChooser:
    """How one request chooses its tokens, and how many of them its grammar has seen.

    The generator draws on the CPU wherever the model runs: the same seed draws the same numbers on
    every device.
    """

    temperature: float
    top_p: float
    repetition_penalty: float
    generator: torch.Generator
    constraint: JsonConstraint | None
    num_prompt_tokens: int
    num_taken: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether it takes the largest score as it comes."""
        return (
            self.temperature == 0.0 and self.repetition_penalty == 1.0 and self.constraint is None
        )

    def adjust(self, scores: torch.Tensor, tokens: Sequence[int]) -> None:
        """Change ``scores`` [1, vocabulary] in place for what ``tokens`` (all so far) imply."""
        if self.repetition_penalty != 1.0:
            seen = torch.tensor([tokens], device=scores.device)
            score = scores.gather(1, seen)
            penalty = self.repetition_penalty
            scores.scatter_(1, seen, torch.where(score < 0, score * penalty, score / penalty))
        if self.constraint is not None:
            new = tokens[self.num_prompt_tokens + self.num_taken :]
            for token_id in new:
                self.constraint.take(token_id)
            self.num_taken += len(new)
            self.constraint.restrict(scores)

    def draw(self) -> float:
        """The request's next random number, in [0, 1)."""
        return float(torch.rand((), dtype=torch.float64, generator=self.generator))


def build_chooser(
    job: GenerationJob, num_prompt_tokens: int, constraint: JsonConstraint | None
) -> TokenChooser:
    """The chooser of ``job``; without a seed its generator begins anywhere."""
    generator = torch.Generator()
    if job.seed is None:
        generator.seed()
    else:
        generator.manual_seed(job.seed)
    return TokenChooser(
        temperature=job.temperature,
        top_p=job.top_p,
        repetition_penalty=job.repetition_penalty,
        generator=generator,
        constraint=constraint,
        num_prompt_tokens=num_prompt_tokens,
    )


def mark_choices(
    scores: torch.Tensor, choosers: Sequence[tuple[int, TokenChooser, Sequence[int]]]
) -> None:
    """Make the chosen token of each row the largest of ``scores`` [rows, vocabulary], in place.

    ``choosers`` are row, its request's chooser and all its tokens so far; other rows stay.
    """
    for row, chooser, tokens in choosers:
        chooser.adjust(scores[row : row + 1], tokens)
    for narrow in (False, True):
        group = [
            (row, chooser)
            for row, chooser, _ in choosers
            if chooser.temperature > 0.0 and (chooser.top_p < 1.0) == narrow
        ]
        if group:
            _mark_draws(scores, group, narrow=narrow)


def _mark_draws(
    scores: torch.Tensor, group: Sequence[tuple[int, TokenChooser]], *, narrow: bool
) -> None:
    device = scores.device
    rows = torch.tensor([row for row, _ in group], device=device)
    temperature = torch.tensor([[one.temperature] for _, one in group], device=device)
    draws = torch.tensor([[one.draw()] for _, one in group], dtype=torch.float32, device=device)
    probs = torch.softmax(scores[rows] / temperature, dim=-1)
    if narrow:
        top_p = torch.tensor([[one.top_p] for _, one in group], device=device)
        chosen = _draw_from_nucleus(probs, top_p, draws)
    else:
        chosen = _draw(probs, draws)
    scores[rows, chosen[:, 0]] = torch.inf


def _draw(probs: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Sample by inverting the cumulative distribution: one index for each row, [rows, 1]."""
    cumulative = probs.cumsum(dim=-1)
    at = torch.searchsorted(cumulative, draws * cumulative[:, -1:], right=True)
    return at.clamp_(max=probs.shape[-1] - 1)


def _draw_from_nucleus(
    probs: torch.Tensor, top_p: torch.Tensor, draws: torch.Tensor
) -> torch.Tensor:
    """Sample from the fewest most likely tokens whose probabilities reach ``top_p``."""
    ordered, tokens = probs.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    kept = ordered.masked_fill(before >= top_p, 0.0)
    # However small top_p, the most likely token stays.
    kept[:, 0] = ordered[:, 0]
    return tokens.gather(1, _draw(kept, draws))


class ChoiceProcessor(LogitsProcessor):
    """A chooser for a plain greedy ``generate`` of one request."""

    def __init__(self, chooser: TokenChooser) -> None:
        self._chooser = chooser

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """``input_ids`` [1, length] and ``scores`` [1, vocabulary] → the same scores, changed."""
        mark_choices(scores, [(0, self._chooser, input_ids[0].tolist())])
        return scores
