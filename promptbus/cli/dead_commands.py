"""The options of ``promptbus dead …``."""

from typing import Annotated, Literal

import typer

from promptbus.cli.options import DataDir, Json, NatsUrl, run

dead_app = typer.Typer(
    no_args_is_help=True,
    help="Look at messages that nobody could handle, correct them, and send them again.\n\n"
    "A letter is open until it is replayed or dropped, and that is decided once. Typical use: "
    "list, show 17, edit 17, replay 17.",
)

LetterId = Annotated[str, typer.Argument(metavar="LETTER", help="Its number, from `dead list`.")]


@dead_app.command("list")
def dead_list(
    state: Annotated[
        Literal["open", "replayed", "dropped"] | None, typer.Option(help="Only those.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first."""
    from promptbus.cli.dead import list_letters

    run(list_letters, state, limit, as_json, data_dir=data_dir, nats_url=nats_url)


@dead_app.command("show")
def dead_show(
    letter_id: LetterId,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """Show a letter: why it died, and what a replay would send where."""
    from promptbus.cli.dead import show_letter

    run(show_letter, letter_id, as_json, data_dir=data_dir, nats_url=nats_url)


@dead_app.command("edit")
def dead_edit(
    letter_id: LetterId,
    payload: Annotated[
        str | None,
        typer.Option(help="The new JSON; '-' reads it from stdin. Default: opens $EDITOR."),
    ] = None,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """Correct what a replay sends; it is checked, and nothing is sent yet.

    promptbus dead edit 17 --payload '{"prompt": "Hello", "model": "pocket"}'
    """
    from promptbus.cli.dead import edit_letter

    run(edit_letter, letter_id, payload, as_json, data_dir=data_dir, nats_url=nats_url)


@dead_app.command("replay")
def dead_replay(
    letter_id: LetterId,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """Send it again. A step that still waits gets its task back; else a new run begins.

    The new run names the old one. Replaying a letter twice does nothing twice.
    """
    from promptbus.cli.dead import replay_letter

    run(replay_letter, letter_id, as_json, data_dir=data_dir, nats_url=nats_url)


@dead_app.command("drop")
def dead_drop(
    letter_id: LetterId,
    reason: Annotated[str, typer.Option(help="Kept with the letter.")] = "",
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """Say that nothing shall become of a letter; it is kept until it is 30 days old."""
    from promptbus.cli.dead import drop_letter

    run(drop_letter, letter_id, reason, as_json, data_dir=data_dir, nats_url=nats_url)
