"""What a safetensors file says it holds, read without torch.

Format: https://huggingface.co/docs/safetensors (8 bytes little-endian header length, JSON header,
tensor data).
"""

import json
from dataclasses import dataclass
from pathlib import Path

LENGTH_BYTES = 8
# The format's own limit; a larger length means that the file is something else.
MAX_HEADER_BYTES = 100_000_000


class SafetensorsInvalid(ValueError):
    """The file is not a whole safetensors file; the message says in what way."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file; ``dtype`` is the format's name for it, such as ``BF16``."""

    dtype: str
    begin: int
    end: int

    @property
    def num_bytes(self) -> int:
        """Its size in the file."""
        return self.end - self.begin


def read_tensor_bytes(path: Path) -> dict[str, int]:
    """Size in bytes of each tensor in ``path``.

    Raises: SafetensorsInvalid when the header is no header or the file is cut off.
    """
    return {name: tensor.num_bytes for name, tensor in read_tensors(path).items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor in ``path``.

    Raises: SafetensorsInvalid when the header is no header or the file is cut off.
    """
    with path.open("rb") as file:
        num_header_bytes = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if not 0 < num_header_bytes <= MAX_HEADER_BYTES:
            raise SafetensorsInvalid(f"{path.name} is not a safetensors file")
        raw = file.read(num_header_bytes)
    if len(raw) < num_header_bytes:
        raise SafetensorsInvalid(f"{path.name} is cut off within its header")
    tensors = _tensors(path.name, raw)
    num_data_bytes = max((tensor.end for tensor in tensors.values()), default=0)
    expected = LENGTH_BYTES + num_header_bytes + num_data_bytes
    found = path.stat().st_size
    if found < expected:
        raise SafetensorsInvalid(f"{path.name} is cut off: {found} of {expected} bytes")
    return tensors


def _tensors(name: str, raw: bytes) -> dict[str, Tensor]:
    try:
        header = json.loads(raw)
        return {
            tensor: Tensor(
                str(fields.get("dtype")),
                int(fields["data_offsets"][0]),
                int(fields["data_offsets"][1]),
            )
            for tensor, fields in header.items()
            if tensor != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as exc:
        raise SafetensorsInvalid(f"{name} has a corrupt header") from exc
