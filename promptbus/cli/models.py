"""``promptbus models``: what there is, and where it is resident."""

from rich.text import Text

from contracts.presence import ModelReport
from promptbus.cli.client import running
from promptbus.cli.columns import Column, lay_out
from promptbus.cli.shell import out, print_json, print_lines
from promptbus.endpoint import read_endpoint
from promptbus.settings import Settings

HERE = "not running"


async def list_models(settings: Settings, as_json: bool) -> int:
    """Print the models of every executor; those of the registry where none runs."""
    offers = await _offers(settings)
    if as_json:
        print_json([{"host": host, **model.model_dump(mode="json")} for host, model in offers])
        return 0
    print_lines(lay_out(_COLUMNS, [_row(host, model) for host, model in offers], out.width))
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


def _row(host: str, model: ModelReport) -> tuple[Text | str, ...]:
    return (
        Text(model.model, style="bold"),
        model.provider,
        _state(model),
        host,
        _size(model),
        f"{model.context_tokens:,}" if model.context_tokens else "",
        ", ".join(model.strategies),
    )


async def _offers(settings: Settings) -> list[tuple[str, ModelReport]]:
    if settings.address() is not None or read_endpoint(settings.data_dir) is not None:
        async with running(settings) as process:
            hosts = await process.board.hosts()
        return [(host.host, model) for host in hosts for model in host.models]
    from promptbus.model_host import ModelHost

    host = ModelHost(settings)
    try:
        return [(HERE, model) for model in host.gateway.models()]
    finally:
        await host.close()


def _state(model: ModelReport) -> Text:
    if model.loading is not None:
        return Text(f"loading {model.loading:.0%}", style="cyan")
    if model.resident:
        return Text("resident", style="green")
    if not model.available:
        return Text("not available", style="dim")
    return Text("ready")


def _size(model: ModelReport) -> str:
    if model.num_parameters is None:
        return ""
    millions = model.num_parameters / 1e6
    return f"{millions / 1000:.1f} B" if millions >= 1000 else f"{millions:.1f} M"  # noqa: PLR2004
