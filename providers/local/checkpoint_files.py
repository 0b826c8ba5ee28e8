"""A checkpoint's folder, checked before torch touches it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import ModelLoadFailed
from providers.local.safetensors_header import SafetensorsInvalid, read_tensor_bytes

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
# Any one of these makes a tokenizer that transformers can read.
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_AGAIN = "fetch the checkpoint again; this copy is damaged"


@dataclass(frozen=True, slots=True)
class CheckpointFiles:
    """A complete checkpoint: its folder and the size in bytes of each of its tensors."""

    folder: Path
    tensor_bytes: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """Bytes of all weights."""
        return sum(self.tensor_bytes.values())


def has_weights(folder: Path) -> bool:
    """Whether ``folder`` holds safetensors in the layout that transformers reads."""
    return (folder / INDEX).is_file() or (folder / SINGLE).is_file()


def inspect_checkpoint(model: str, folder: Path) -> CheckpointFiles:
    """The files of the checkpoint in ``folder``; ``model`` is the key that errors name.

    Raises: ModelLoadFailed saying what is missing or damaged, by file name.
    """
    if not folder.is_dir():
        raise ModelLoadFailed(
            model=model,
            reason="its folder does not exist",
            cure="correct `source` in the model registry file",
        )
    if not (folder / "config.json").is_file():
        raise ModelLoadFailed(
            model=model,
            reason="config.json is missing",
            cure="name the folder that holds config.json and the weights",
        )
    tensor_bytes: dict[str, int] = {}
    for path in _weight_files(model, folder):
        try:
            tensor_bytes |= read_tensor_bytes(path)
        except FileNotFoundError as exc:
            reason = f"{path.name} is missing"
            raise ModelLoadFailed(model=model, reason=reason, cure=_AGAIN) from exc
        except SafetensorsInvalid as exc:
            raise ModelLoadFailed(model=model, reason=str(exc), cure=_AGAIN) from exc
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelLoadFailed(
            model=model,
            reason="it has no tokenizer",
            cure="put tokenizer.json and tokenizer_config.json beside the weights",
        )
    return CheckpointFiles(folder, tensor_bytes)


def _weight_files(model: str, folder: Path) -> list[Path]:
    index = folder / INDEX
    if index.is_file():
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as exc:
            reason = f"{INDEX} is corrupt"
            raise ModelLoadFailed(model=model, reason=reason, cure=_AGAIN) from exc
        # Only names within the folder: an index must not point the loader elsewhere.
        return [folder / Path(str(shard)).name for shard in sorted(shards)]
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if any(path.suffix in _PICKLED for path in folder.iterdir()):
        raise ModelLoadFailed(
            model=model,
            reason="it has pickled weights only, which can run code; safetensors only",
            cure="convert it: from_pretrained(...).save_pretrained(...) on a machine you trust",
        )
    raise ModelLoadFailed(
        model=model, reason=f"{SINGLE} is missing", cure="put the weights into the folder"
    )
