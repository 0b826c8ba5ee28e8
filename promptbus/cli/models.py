"""``promptbus models``: what there is, and where it is resident."""

from rich.table import Table
from rich.text import Text

from contracts.presence import ModelReport
from promptbus.cli.client import running
from promptbus.cli.shell import out, print_json
from promptbus.endpoint import read_endpoint
from promptbus.settings import Settings

HERE = "not running"


async def list_models(settings: Settings, as_json: bool) -> int:
    """Print the models of every executor; those of the registry where none runs."""
    offers = await _offers(settings)
    if as_json:
        print_json([{"host": host, **model.model_dump(mode="json")} for host, model in offers])
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("model", "provider", "state", "host", "size", "context", "strategies"):
        table.add_column(heading, no_wrap=True)
    for host, model in offers:
        table.add_row(
            Text(model.model, style="bold"),
            model.provider,
            _state(model),
            host,
            _size(model),
            f"{model.context_tokens:,}" if model.context_tokens else "",
            ", ".join(model.strategies),
        )
    out.print(table)
    return 0


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
