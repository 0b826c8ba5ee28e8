"""Zeros that take no memory before they are written."""

import math
import mmap
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

# Smaller ones are written faster than they are mapped.
MIN_BYTES = 1 << 20


class UntouchedZeros(TorchFunctionMode):
    """While entered, large ``torch.zeros`` of this thread on the CPU write nothing.

    The system hands out pages of zeros as they are first touched. Writing a KV cache of a gigabyte
    beforehand takes longer than to load a model of a hundred million parameters, and most of it
    may never be used.

    Raises: MemoryError where there is no address space left.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        if func is torch.zeros and options.keys() <= {"dtype", "device"}:
            size = torch.Size(args if isinstance(args[0], int) else args[0])
            dtype = options.get("dtype") or torch.get_default_dtype()
            num_bytes = math.prod(size) * dtype.itemsize
            on_cpu = torch.device(options.get("device") or "cpu").type == "cpu"
            if on_cpu and num_bytes >= MIN_BYTES:
                return _map(num_bytes, dtype).view(size)
        return func(*args, **options)


def _map(num_bytes: int, dtype: torch.dtype) -> torch.Tensor:
    try:
        # Private, so that the memory counts as the process's own.
        pages = mmap.mmap(-1, num_bytes, access=mmap.ACCESS_COPY)
    except OSError as exc:
        raise MemoryError(f"no {num_bytes} bytes of address space are left") from exc
    return torch.frombuffer(pages, dtype=dtype)
