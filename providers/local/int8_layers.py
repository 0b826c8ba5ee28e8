"""Linear layers with int8 weights on a CPU, which quantize what they are multiplied with."""

import warnings
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel


def quantize_linear_layers(model: PreTrainedModel) -> None:
    """Replace the linear layers of ``model`` in place; their weights take a quarter of float32."""
    with warnings.catch_warnings():
        # torch means to move this to torchao, whose kernels were measured to be as fast, and which
        # takes seconds to import.
        warnings.simplefilter("ignore")
        quantize: Any = torch.ao.quantization.quantize_dynamic
        quantize(model, {nn.Linear}, dtype=torch.qint8, inplace=True)


def quantized_bytes(model: PreTrainedModel) -> int:
    """Bytes of the int8 weights, which torch does not count among the parameters."""
    kind: type[Any] = torch.ao.nn.quantized.dynamic.Linear
    layers: list[Any] = [layer for layer in model.modules() if isinstance(layer, kind)]
    return sum(int(layer.weight().numel()) for layer in layers)
