"""Choosing the next token: transformers' processors, and a draw that is the request's own."""

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from providers.generation_job import GenerationJob

# Keeps the quotient below finite where the exponential draw comes out as zero.
_SMALLEST_DRAW = 1e-30


class SeededDraw(LogitsProcessor):
    """Draws a token and leaves it as the only maximum, so that greedy search picks it.

    ``generate`` itself draws from the process's global generator, which requests that run beside
    each other would take from one another. Here each request has its own: dividing probabilities
    by exponential draws and taking the largest samples from them exactly (the Gumbel-max trick:
    Gumbel 1954; Maddison et al., arXiv:1411.0030).
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """``scores`` [batch, vocabulary] → probabilities divided by draws, same shape."""
        probs = torch.softmax(scores, dim=-1)
        draws = torch.empty_like(probs).exponential_(generator=self._generator)
        return probs.div_(draws.clamp_(min=_SMALLEST_DRAW))  # type: ignore[return-value]


def build_processors(job: GenerationJob, device: torch.device) -> LogitsProcessorList:
    """What changes the scores before the largest is taken; empty for a plain greedy job.

    The same seed gives the same text on the same device type and versions.
    """
    processors = LogitsProcessorList()
    if job.repetition_penalty != 1.0:
        processors.append(RepetitionPenaltyLogitsProcessor(job.repetition_penalty))
    if job.temperature > 0.0:
        processors.append(TemperatureLogitsWarper(job.temperature))
        if job.top_p < 1.0:
            processors.append(TopPLogitsWarper(job.top_p))
        processors.append(SeededDraw(_generator(job.seed, device)))
    return processors


def _generator(seed: int | None, device: torch.device) -> torch.Generator:
    generator = torch.Generator(device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator
