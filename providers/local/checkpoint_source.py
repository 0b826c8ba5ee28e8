"""Where a model's checkpoint lies: in the package, in a folder, or in the cache of the hub."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from contracts.errors import ModelLoadFailed
from providers.foreign_error import describe
from providers.local.checkpoint_files import has_weights
from providers.local.hub_cache import POCKET_FOLDER
from providers.registries.model_entry import BUILT_IN, ModelEntry

# Weights and what reads them; never pickles, code, or the copies that some repositories carry in
# folders of their own.
_WANTED = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"]
_UNWANTED = ["*/*", "consolidated*"]


def locate_checkpoint(entry: ModelEntry) -> Path:
    """The folder of the entry's checkpoint, fetched from the hub if it is not cached yet.

    Raises: ModelLoadFailed when the hub cannot give it.
    """
    if entry.source == BUILT_IN:
        return POCKET_FOLDER
    if Path(entry.source).is_absolute():
        return Path(entry.source)
    return _cached(entry) or _fetched(entry)


def _cached(entry: ModelEntry) -> Path | None:
    try:
        folder = Path(_snapshot(entry, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if has_weights(folder) else None


def _fetched(entry: ModelEntry) -> Path:
    at_revision = f" --revision {entry.revision}" if entry.revision else ""
    download = f"hf download {entry.source}{at_revision}"
    try:
        return Path(_snapshot(entry, local_files_only=False))
    except GatedRepoError as exc:
        reason = f"{entry.source} asks for its licence to be accepted first"
        cure = f"accept it on its page, run `hf auth login`, then `{download}`"
        raise ModelLoadFailed(model=entry.key, reason=reason, cure=cure) from exc
    except RevisionNotFoundError as exc:
        reason = f"{entry.source} has no revision {entry.revision!r}"
        cure = "correct `revision` in the model registry file"
        raise ModelLoadFailed(model=entry.key, reason=reason, cure=cure) from exc
    except RepositoryNotFoundError as exc:
        reason = f"the hub knows no {entry.source}, or it is private"
        cure = "correct `source` in the model registry file, or run `hf auth login`"
        raise ModelLoadFailed(model=entry.key, reason=reason, cure=cure) from exc
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as exc:
        reason = f"{entry.source} is not cached on this host and the hub cannot be reached"
        cure = f"run `{download}` where there is a network, and unset HF_HUB_OFFLINE if it is set"
        raise ModelLoadFailed(model=entry.key, reason=reason, cure=cure) from exc
    except Exception as exc:
        cure = f"try it by hand: {download}"
        raise ModelLoadFailed(model=entry.key, reason=describe(exc), cure=cure) from exc


def _snapshot(entry: ModelEntry, *, local_files_only: bool) -> str:
    return str(
        snapshot_download(
            entry.source,
            revision=entry.revision,
            allow_patterns=_WANTED,
            ignore_patterns=_UNWANTED,
            local_files_only=local_files_only,
        )
    )
