"""Weights that a load has mapped from their file, and that the system reads at the first touch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel

_PAGE_BYTES = 4096


@contextmanager
def reading(model: PreTrainedModel) -> Iterator[None]:
    """While entered, a thread reads the model's weights on the CPU; left once it has."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-weights") as thread:
        done = thread.submit(read_weights, model)
        yield
        done.result()


def read_weights(model: PreTrainedModel) -> None:
    """Touch every page of the weights that lie in RAM."""
    with torch.inference_mode():
        for weight in model.parameters():
            if weight.device.type == "cpu" and weight.is_contiguous():
                weight.view(-1)[:: _PAGE_BYTES // weight.itemsize].sum()
