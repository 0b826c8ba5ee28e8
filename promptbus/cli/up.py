"""``promptbus up``: everything on this machine, until it is told to end."""

import shlex
import shutil
import sysconfig
import time
from pathlib import Path

from rich.markup import escape
from rich.status import Status
from rich.text import Text

from promptbus.cli.ask import ask, parse_request
from promptbus.cli.client import wait_for_signal
from promptbus.cli.shell import err, out, print_lines
from promptbus.cli.terminal import safe
from promptbus.endpoint import remove_endpoint, write_endpoint
from promptbus.settings import Settings, default_data_dir
from promptbus.supervisor import embedded, wait_for_model
from promptbus.web_server import open_listener, serve_api


async def run_up(settings: Settings, first_prompt: str | None) -> int:
    """Start, answer the first prompt if there is one, print the address, stay."""
    started_s = time.monotonic()
    with open_listener(settings) as listener, Status("starting", console=err) as status:
        async with (
            embedded(settings, status.update) as process,
            serve_api(process, listener) as url,
        ):
            report = await wait_for_model(process, settings.default_model, status.update)
            status.stop()
            address = process.settings.address()
            if address is not None:
                write_endpoint(settings.data_dir, address, url)
            try:
                took_s = time.monotonic() - started_s
                out.print(f"[bold]promptbus[/] is up in {took_s:.1f} s, with {report.model}")
                if first_prompt is not None:
                    out.print(f"\n[bold cyan]>[/] {escape(first_prompt)}")
                    await ask(process, parse_request({"prompt": first_prompt}))
                _print_address(url, settings)
                await wait_for_signal()
                err.print("[dim]ending[/]")
            finally:
                remove_endpoint(settings.data_dir)
    return 0


def _print_address(url: str, settings: Settings) -> None:
    lines = {
        "API": f"{url}/docs",
        "data": str(settings.data_dir),
        "ask": f"{_command()} ask 'What is the capital of Peru?'{_where(settings)}",
        "end": "Ctrl-C",
    }
    print_lines(
        [Text(), *(Text(f"  {name:4}  {safe(text)}") for name, text in lines.items()), Text()]
    )


def _command() -> str:
    """How this environment's ``promptbus`` is called from this folder."""
    if shutil.which("promptbus"):
        return "promptbus"
    script = Path(sysconfig.get_path("scripts")) / "promptbus"
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)


def _where(settings: Settings) -> str:
    if settings.data_dir == default_data_dir():
        return ""
    return f" --data-dir {shlex.quote(str(settings.data_dir.absolute()))}"
