"""The command line. Each command imports what it needs when it runs, so that help is quick."""

from typing import Annotated, Literal

import typer

from promptbus import __version__
from promptbus.cli.chaos_command import chaos
from promptbus.cli.dead_commands import dead_app
from promptbus.cli.keys_commands import keys_app
from promptbus.cli.options import DataDir, Json, NatsUrl, run

app = typer.Typer(
    name="promptbus",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Run LLM prompts through a team of actors on NATS: durable, cancellable, observable.",
    epilog="Start with: promptbus up — then, in another terminal: promptbus ask 'Hello!'",
)
run_app = typer.Typer(no_args_is_help=True, help="Look at runs and end them.")
app.add_typer(run_app, name="run")
app.add_typer(dead_app, name="dead")
app.add_typer(keys_app, name="keys")
app.command()(chaos)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Settings come from PROMPTBUS_* variables; options win over them."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port of the API. Default: 8321.")] = None,
    host: Annotated[str | None, typer.Option(help="Address of the API.")] = None,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    first_prompt: Annotated[
        str | None, typer.Option("--ask", help="Answer this prompt first, then stay.")
    ] = None,
) -> None:
    """Start everything on this machine and stay: NATS, all actors, the API."""
    from promptbus.cli.up import run_up

    run(run_up, first_prompt, port=port, host=host, data_dir=data_dir, nats_url=nats_url)


@app.command()
def ask(
    prompt: Annotated[str, typer.Argument(help="The prompt; '-' reads it from stdin.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="See: promptbus models")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="standard, optimized, streaming")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="At most this many new tokens.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy; up to 2.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes sampling repeatable.")] = None,
    session: Annotated[
        str | None, typer.Option("--session", "-s", help="Recall this conversation's turns.")
    ] = None,
    deadline_s: Annotated[float | None, typer.Option(help="Give up after so long.")] = None,
    priority: Annotated[str, typer.Option(help="interactive, normal or batch")] = "interactive",
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="The same key is the same run: asking again shows its answer again."),
    ] = None,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """Ask, and stream the answer; then one line per actor. Ctrl-C cancels the run.

    Uses a running promptbus; starts one for this question where there is none.
    """
    from promptbus.cli.ask import run_ask

    wishes = {
        "prompt": prompt,
        "model": model,
        "strategy": strategy,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
        "session_id": session,
        "deadline_s": deadline_s,
        "priority": priority,
    }
    given = {name: value for name, value in wishes.items() if value is not None}
    run(run_ask, given, idempotency_key, as_json, data_dir=data_dir, nats_url=nats_url)


@run_app.command("show")
def run_show(
    run_id: Annotated[str, typer.Argument(help="A run id, or 'last'.")] = "last",
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """Show a run: prompt, answer, each step with its time."""
    from promptbus.cli.runs import show_run

    run(show_run, run_id, as_json, data_dir=data_dir, nats_url=nats_url)


@run_app.command("list")
def run_list(
    state: Annotated[
        Literal["running", "answered", "failed", "cancelled"] | None,
        typer.Option(help="Only runs in this state."),
    ] = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Words to find.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    from promptbus.cli.runs import list_runs

    run(list_runs, state, query, limit, as_json, data_dir=data_dir, nats_url=nats_url)


@run_app.command("cancel")
def run_cancel(
    run_id: Annotated[str, typer.Argument(help="A run id, or 'last'.")],
    reason: Annotated[str, typer.Option(help="Kept in the run's journal.")] = "",
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
) -> None:
    """Cancel a run; its outcome tells how it ended."""
    from promptbus.cli.runs import cancel_run

    run(cancel_run, run_id, reason, data_dir=data_dir, nats_url=nats_url)


@app.command()
def actor(
    kinds: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND...",
            help="analyzer, history, monitor, executor, validator, summarizer or coordinator; "
            "several share one process",
        ),
    ],
    nats_url: NatsUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Serve some kinds of actors against a NATS server; start as many as are needed."""
    from promptbus.cli.actor import run_actor

    run(run_actor, tuple(kinds), data_dir=data_dir, nats_url=nats_url)


@app.command()
def api(
    port: Annotated[int | None, typer.Option(help="Port of the API. Default: 8321.")] = None,
    host: Annotated[str | None, typer.Option(help="Address of the API.")] = None,
    nats_url: NatsUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the API alone against a NATS server; start as many as are needed."""
    from promptbus.cli.api import run_api

    run(run_api, port=port, host=host, data_dir=data_dir, nats_url=nats_url)


@app.command()
def step(
    actor_kind: Annotated[
        str,
        typer.Argument(
            metavar="ACTOR",
            help="analyzer, history, monitor, executor, validator or summarizer",
        ),
    ],
    data_dir: DataDir = None,
) -> None:
    """Try one actor by hand: a JSON task per line on stdin, an event per line on stdout.

    Without a bus. Content alone is enough, ids are made up:

    echo '{"prompt": "Hello"}' | promptbus step analyzer
    """
    from promptbus.cli.step import run_step

    run(run_step, actor_kind, data_dir=data_dir)


@app.command()
def models(data_dir: DataDir = None, nats_url: NatsUrl = None, as_json: Json = False) -> None:
    """List the models there are, and where each is resident."""
    from promptbus.cli.models import list_models

    run(list_models, as_json, data_dir=data_dir, nats_url=nats_url)


@app.command()
def doctor(
    part: Annotated[
        Literal["traces"] | None,
        typer.Argument(help="traces: compare the traces of all runs with their journals."),
    ] = None,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """Check every part this machine needs, and name the cure for what is missing."""
    from promptbus.cli.doctor import run_doctor

    run(run_doctor, part, as_json, data_dir=data_dir, nats_url=nats_url)


def main() -> None:
    """The entry point of the script ``promptbus``."""
    app()
