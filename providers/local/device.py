"""The device a model runs on here, and what pays there."""

import importlib.util

import torch

from providers.registries.model_entry import Dtype

# CUDA devices from compute capability 8.0 (Ampere) on compute in bfloat16; older ones only in
# float16.
_BFLOAT16_CAPABILITY = (8, 0)

# Instruction sets that multiply bfloat16: x86's two, and Arm's.
_BFLOAT16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16")


def pick_device() -> torch.device:
    """CUDA where there is one, else Apple's GPU, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def fast_dtype(device: torch.device) -> Dtype | None:
    """The 16-bit type that ``device`` computes in natively; None where it has none.

    On a CPU without instructions for it bfloat16 is emulated, and slower than float32.
    """
    if device.type == "cuda":
        capable = torch.cuda.get_device_capability(device) >= _BFLOAT16_CAPABILITY
        return "bfloat16" if capable else "float16"
    if device.type == "mps":
        return "float16"
    features = torch.cpu.get_capabilities()
    return "bfloat16" if any(features.get(name) for name in _BFLOAT16_FEATURES) else None


def has_int8_kernels(device: torch.device) -> bool:
    """Whether torch multiplies by int8 weights there, quantizing what they are multiplied with."""
    return device.type == "cpu" and bool(
        {"x86", "fbgemm", "onednn", "qnnpack"} & set(torch.backends.quantized.supported_engines)
    )


def has_bitsandbytes(device: torch.device) -> bool:
    """Whether bitsandbytes is installed for a CUDA device."""
    return device.type == "cuda" and importlib.util.find_spec("bitsandbytes") is not None
