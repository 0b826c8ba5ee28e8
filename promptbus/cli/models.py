"""``promptbus models``: what there is, and where it is resident."""

from rich.text import Text

from contracts.presence import ModelReport
from promptbus.cli.client import running
from promptbus.cli.columns import Column, lay_out
from promptbus.cli.shell import out, print_json, print_lines, say_on_stderr
from promptbus.endpoint import read_endpoint
from promptbus.settings import Settings


async def list_models(settings: Settings, as_json: bool) -> int:
    """Print the models of every executor; those of the registry where none runs."""
    is_running = settings.address() is not None or read_endpoint(settings.data_dir) is not None
    offers = await _running(settings) if is_running else await _here(settings)
    if as_json:
        print_json([{"host": host, **model.model_dump(mode="json")} for host, model in offers])
        return 0
    print_lines(lay_out(_COLUMNS, [_row(host, model) for host, model in offers], out.width))
    if not is_running:
        say_on_stderr(f"nothing runs on {settings.data_dir}; this machine could serve these")
    elif not offers:
        say_on_stderr("no executor is there; start one: promptbus actor executor")
    return 0


_COLUMNS = (
    Column("model"),
    Column("provider", hide=3),
    Column("state"),
    Column("host", hide=1),
    Column("size", right=True),
    Column("context", hide=2, right=True),
    Column("strategies", hide=4),
)


def _row(host: str | None, model: ModelReport) -> tuple[Text | str, ...]:
    return (
        Text(model.model, style="bold"),
        model.provider,
        _state(model, is_served=host is not None),
        host or "",
        _size(model),
        f"{model.context_tokens:,}" if model.context_tokens else "",
        ", ".join(model.strategies),
    )


async def _running(settings: Settings) -> list[tuple[str | None, ModelReport]]:
    async with running(settings) as process:
        hosts = await process.board.hosts()
    return [(host.host, model) for host in hosts for model in host.models]


async def _here(settings: Settings) -> list[tuple[str | None, ModelReport]]:
    from promptbus.model_host import ModelHost

    host = ModelHost(settings)
    try:
        return [(None, model) for model in host.gateway.models()]
    finally:
        await host.close()


def _state(model: ModelReport, *, is_served: bool) -> Text:
    if model.loading is not None:
        return Text(f"loading {model.loading:.0%}", style="cyan")
    if model.resident and is_served:
        return Text("resident", style="green")
    if not model.available:
        return Text("not available", style="dim")
    return Text("ready")


def _size(model: ModelReport) -> str:
    if not model.num_parameters:
        return ""
    millions = model.num_parameters / 1e6
    return f"{millions / 1000:.1f} B" if millions >= 1000 else f"{millions:.1f} M"  # noqa: PLR2004
