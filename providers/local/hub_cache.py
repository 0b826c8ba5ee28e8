"""Whether a checkpoint lies on this machine already, told without importing the hub's library."""

import os
from pathlib import Path

from providers.local.checkpoint_files import has_weights
from providers.registries.model_entry import BUILT_IN, ModelEntry

POCKET_FOLDER = Path(__file__).with_name("pocket")


def is_on_disk(entry: ModelEntry) -> bool:
    """Whether the entry's weights can be loaded without a download."""
    return find_on_disk(entry) is not None


def find_on_disk(entry: ModelEntry) -> Path | None:
    """The folder that holds the entry's weights on this machine; None where they are not here."""
    if entry.source == BUILT_IN:
        folders = [POCKET_FOLDER]
    elif Path(entry.source).is_absolute():
        folders = [Path(entry.source)]
    else:
        snapshots = hub_cache() / f"models--{entry.source.replace('/', '--')}" / "snapshots"
        folders = sorted(snapshots.iterdir()) if snapshots.is_dir() else []
    return next((folder for folder in folders if has_weights(folder)), None)


def hub_cache() -> Path:
    """The hub's cache folder, by the hub's own variables (HF_HUB_CACHE, HF_HOME)."""
    explicit = os.environ.get("HF_HUB_CACHE")
    if explicit:
        return Path(explicit).expanduser()
    home = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    return Path(home).expanduser() / "hub"
