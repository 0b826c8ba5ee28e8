"""The options of ``promptbus keys …``."""

from typing import Annotated

import typer

from promptbus.cli.options import DataDir, Json, NatsUrl, run

keys_app = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke API keys. The API asks for one wherever others can reach it.",
)


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    scopes: Annotated[
        str, typer.Option(help="Of submit, read and admin, with commas between.")
    ] = "submit,read",
    expires_in: Annotated[
        str | None, typer.Option(help="30m, 12h, 90d … Default: it does not expire.")
    ] = None,
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once.

    submit: send prompts. read: see runs, models, machines. admin: everything.
    """
    from promptbus.cli.keys import create_key

    run(create_key, name, scopes, expires_in, as_json, data_dir=data_dir, nats_url=nats_url)


@keys_app.command("list")
def keys_list(data_dir: DataDir = None, nats_url: NatsUrl = None, as_json: Json = False) -> None:
    """List the keys there are and were; none of them is shown."""
    from promptbus.cli.keys import list_keys

    run(list_keys, as_json, data_dir=data_dir, nats_url=nats_url)


@keys_app.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Its id, from `keys list`.")],
    data_dir: DataDir = None,
    nats_url: NatsUrl = None,
) -> None:
    """End a key, within five seconds everywhere; what is open with it is closed."""
    from promptbus.cli.keys import revoke_key

    run(revoke_key, key_id, data_dir=data_dir, nats_url=nats_url)
