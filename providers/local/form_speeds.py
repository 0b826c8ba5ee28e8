"""How fast each form of a model's weights decodes here: measured once, and remembered in a file."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from providers.local.model_loader import Checkpoint
from providers.local.weight_form import WeightForm

_LOGGER = logging.getLogger(__name__)
_NUM_ROWS = 16
_NUM_TOKENS = 4
_NUM_TIMES = 2


class FormSpeeds:
    """Tokens per second by host, model and form, in a JSON file that several processes may share.

    ``host`` names the machine and what runs the model on it: other figures hold on another.
    """

    def __init__(self, file: Path, host: str) -> None:
        self._file = file
        self._host = host

    def of(self, model: str, size_bytes: int) -> Mapping[str, float]:
        """What was measured of the model, if its checkpoint still has that size; else nothing."""
        found = self._read().get(self._host, {}).get(model, {})
        return dict(found.get("tokens_per_s", {})) if found.get("bytes") == size_bytes else {}

    def remember(self, model: str, size_bytes: int, tokens_per_s: Mapping[str, float]) -> None:
        """Keep what was measured."""
        everything = self._read()
        rounded = {form: round(speed, 1) for form, speed in tokens_per_s.items()}
        everything.setdefault(self._host, {})[model] = {
            "bytes": size_bytes,
            "tokens_per_s": rounded,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=self._file.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(everything, file, indent=2, sort_keys=True)
        Path(name).replace(self._file)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            _LOGGER.warning("%s is damaged; speeds are measured again", self._file.name)
            return {}
        return content if isinstance(content, dict) else {}


def measure_forms(
    forms: Sequence[WeightForm], load: Callable[[WeightForm], Checkpoint]
) -> dict[str, float]:
    """Tokens per second of each form; one is in memory at a time."""
    speeds: dict[str, float] = {}
    for form in forms:
        checkpoint = load(form)
        speeds[form] = decode_speed(checkpoint)
        checkpoint.free()
    return speeds


def decode_speed(checkpoint: Checkpoint) -> float:
    """Tokens per second of a short decode of many rows at a time, the better of two."""
    model: Any = checkpoint.model
    ids = torch.ones((_NUM_ROWS, 1), dtype=torch.long, device=checkpoint.device)
    times_s = []
    for _ in range(1 + _NUM_TIMES):
        began = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                min_new_tokens=_NUM_TOKENS,
                max_new_tokens=_NUM_TOKENS,
                do_sample=False,
            )
        times_s.append(time.perf_counter() - began)
    # The first pays for what is set up lazily.
    return _NUM_ROWS * _NUM_TOKENS / min(times_s[1:])
