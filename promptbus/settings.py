"""All settings, read from the environment and from nowhere else."""

import os
import socket
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.origin import check_host_name, check_origin
from bus.connection import BusAddress
from bus.crash_points import POINTS
from contracts.envelope import first_problem
from contracts.errors import InvalidInput
from providers.memory_budget import parse_budgets

DEFAULT_PORT = 8321

_SCHEMES = frozenset({"nats", "tls", "ws", "wss"})


class Durability(StrEnum):
    """What the embedded server promises of an acknowledged message."""

    DURABLE = "durable"
    FAST = "fast"


def default_data_dir() -> Path:
    """Where one machine keeps its streams and its history (XDG base directories)."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "promptbus"


def _split(value: Any) -> Any:
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


def _check_urls(value: str) -> str:
    for url in value.split(","):
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.port == 0:
            raise ValueError("must be nats://host:port, or several with commas between")
        if parts.username is not None:
            # A URL stands in argv, in logs and in errors.
            raise ValueError(
                "must not hold a log-in; set PROMPTBUS_NATS_USER and PROMPTBUS_NATS_PASSWORD"
            )
    return value


def _check_point(value: str) -> str:
    if value not in POINTS:
        raise ValueError(f"is no crash point; the first of them is {POINTS[0]}")
    return value


def _check_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(check_host_name, value))


def _check_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(check_origin, value))


def _check_budgets(value: str) -> str:
    parse_budgets(value)
    return value


def _check_trace_url(value: str) -> str:
    if urlsplit(value).scheme not in {"http", "https"} or "{trace_id}" not in value:
        raise ValueError("must be an http URL with {trace_id} in it")
    return value


Listed = Annotated[tuple[str, ...], BeforeValidator(_split)]
Hosts = Annotated[Listed, AfterValidator(_check_hosts)]
Origins = Annotated[Listed, AfterValidator(_check_origins)]
Budgets = Annotated[str, AfterValidator(_check_budgets)]
CrashPoint = Annotated[str, AfterValidator(_check_point)]
TraceUrl = Annotated[str, AfterValidator(_check_trace_url)]
Urls = Annotated[str, AfterValidator(_check_urls)]


class Settings(BaseSettings):
    """Settings of any promptbus process; each is ``PROMPTBUS_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="PROMPTBUS_", frozen=True, enable_decoding=False, extra="ignore"
    )

    data_dir: Path = Field(default_factory=default_data_dir)
    host: str = "127.0.0.1"
    port: int = Field(default=DEFAULT_PORT, ge=0, le=65535)
    require_keys: bool | None = None
    allowed_hosts: Hosts = ()
    allowed_origins: Origins = ()
    requests_per_minute: int = Field(default=600, ge=1)
    max_requests: int = Field(default=64, ge=1)
    max_sockets: int = Field(default=20, ge=1)
    durability: Durability = Durability.DURABLE
    nats_server: Path | None = None
    nats_url: Urls | None = None
    nats_user: str | None = None
    nats_password: str | None = Field(default=None, repr=False)
    nats_creds: FilePath | None = None
    nats_nkey_seed: FilePath | None = None
    nats_ca: FilePath | None = None
    nats_cert: FilePath | None = None
    nats_key: FilePath | None = None
    nats_replicas: int = Field(default=1, ge=1, le=5)
    executor_name: str = Field(default_factory=socket.gethostname, min_length=1, max_length=128)
    lease_s: float = Field(default=10.0, ge=1.0, le=600.0)
    models_file: Path | None = None
    default_model: str = "pocket"
    preload: Listed = ("pocket",)
    memory_budget: Budgets = ""
    kv_tokens: int | None = Field(default=None, ge=512)
    max_wait_s: float = Field(default=30.0, ge=0.1, le=3600.0)
    summary_model: str | None = None
    database_url: str | None = None
    max_runs: int = Field(default=512, ge=1)
    max_tasks: int = Field(default=64, ge=1)
    max_generations: int = Field(default=64, ge=1)
    log_level: str = "WARNING"
    trace_url: TraceUrl | None = None
    log_format: Literal["text", "json"] = "text"
    echo_pause_s: float = Field(default=0.0, ge=0.0, le=60.0)
    crash_at: CrashPoint | None = None

    def address(self) -> BusAddress | None:
        """The NATS server of the settings; None where none is set."""
        if self.nats_url is None:
            return None
        return BusAddress(
            urls=tuple(self.nats_url.split(",")),
            user=self.nats_user,
            password=self.nats_password,
            credentials_file=self.nats_creds,
            nkey_seed_file=self.nats_nkey_seed,
            tls_ca_file=self.nats_ca,
            tls_cert_file=self.nats_cert,
            tls_key_file=self.nats_key,
        )

    def with_address(self, address: BusAddress) -> "Settings":
        """The same settings, at that server."""
        return self.model_copy(
            update={
                "nats_url": ",".join(address.urls),
                "nats_user": address.user,
                "nats_password": address.password,
            }
        )

    def environment(self) -> dict[str, str]:
        """The environment of a child process with these settings; secrets stay out of argv."""
        environment = dict(os.environ)
        for name in self.model_fields_set:
            variable, value = f"PROMPTBUS_{name.upper()}", getattr(self, name)
            environment.pop(variable, None)
            if value is not None:
                environment[variable] = _text(value)
        return environment


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; ``overrides`` that are not None, from options, win.

    Raises: InvalidInput naming the variable or the option.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as exc:
        where, reason = first_problem(exc)
        name = where.split(".", maxsplit=1)[0]
        option, variable = f"--{name.replace('_', '-')}", f"PROMPTBUS_{name.upper()}"
        raise InvalidInput(field=option if name in given else variable, reason=reason) from exc


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
