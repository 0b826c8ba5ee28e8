"""Settings: read from the environment, handed on to children, refused by name."""

import json
from pathlib import Path

import pytest

from bus.connection import BusAddress
from contracts.errors import InvalidInput
from promptbus.settings import DEFAULT_PORT, Durability, Settings, load_settings
from tests.promptbus.commands import environment, python

PHRASE = "a=b c:d,e"
_PRINT = "from promptbus.settings import load_settings; print(load_settings().model_dump_json())"


def test_every_setting_survives_the_way_to_a_child(tmp_path: Path) -> None:
    creds = tmp_path / "user.creds"
    creds.write_text("secret")
    settings = Settings(
        data_dir=tmp_path / "a folder",
        port=0,
        durability=Durability.FAST,
        nats_url="nats://one:4222,tls://two:4223",
        nats_user="me",
        nats_password=PHRASE,
        nats_creds=creds,
        preload=(),
        summary_model="pocket",
        max_generations=3,
    )
    done = python("-c", _PRINT, env={**environment(), **_variables(settings)})
    assert json.loads(done.out) == json.loads(settings.model_dump_json())


def test_what_is_none_here_is_none_in_a_child() -> None:
    settings = Settings(nats_url="nats://one:4222", nats_user="me", nats_password=PHRASE)
    settings = settings.with_address(BusAddress(("nats://two:4222",)))
    assert "PROMPTBUS_NATS_USER" not in settings.environment()
    assert settings.environment()["PROMPTBUS_NATS_URL"] == "nats://two:4222"


def test_variables_are_read_and_options_win() -> None:
    told = _loaded("port=1234", PROMPTBUS_PORT="99", PROMPTBUS_PRELOAD="pocket,echo")
    assert told["port"] == 1234
    assert told["preload"] == ["pocket", "echo"]
    assert _loaded("port=None", PROMPTBUS_PORT="99")["port"] == 99
    assert _loaded("")["port"] == DEFAULT_PORT


def test_the_data_folder_follows_the_desktop_standard() -> None:
    assert _loaded("", XDG_DATA_HOME="/srv/data")["data_dir"] == "/srv/data/promptbus"
    assert _loaded("", HOME="/home/me")["data_dir"] == "/home/me/.local/share/promptbus"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("port", 65536, "less than or equal to 65535"),
        ("port", "many", "valid integer"),
        ("nats_url", "", "nats://host:port"),
        ("nats_url", "http://host:4222", "nats://host:port"),
        ("nats_url", "nats://host:4222,", "nats://host:port"),
        ("nats_url", "nats://host:99999", "out of range"),
        ("nats_url", "nats://me:secret@host", "must not hold a log-in"),
        ("nats_creds", "/nowhere/user.creds", "not point to a file"),
        ("allowed_hosts", "bus.example:8321", "without a port"),
        ("allowed_hosts", "https://bus.example", "without a port"),
        ("allowed_origins", "*", "like https://chat.example"),
        ("allowed_origins", "https://chat.example/", "without a path"),
        ("allowed_origins", "https://Chat.example", "lower case"),
        ("allowed_origins", "https://me:secret@chat.example", "lower case"),
        ("allowed_origins", "file://chat", "like https://chat.example"),
    ],
)
def test_a_bad_option_is_named_with_the_reason(name: str, value: object, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings(**{name: value})
    assert caught.value.field == f"--{name.replace('_', '-')}"
    assert reason in caught.value.reason
    assert "secret" not in str(caught.value)


def test_a_bad_variable_is_named() -> None:
    script = (
        "from contracts.errors import InvalidInput\n"
        "from promptbus.settings import load_settings\n"
        "try: load_settings()\n"
        "except InvalidInput as exc: print(exc.field)"
    )
    done = python("-c", script, env=environment(PROMPTBUS_LEASE_S="0"))
    assert done.out.strip() == "PROMPTBUS_LEASE_S"


def test_a_password_is_not_shown() -> None:
    assert PHRASE not in repr(Settings(nats_password=PHRASE))


def test_without_a_server_there_is_no_address() -> None:
    assert Settings(nats_url=None).address() is None


def _variables(settings: Settings) -> dict[str, str]:
    handed_on = settings.environment()
    return {name: value for name, value in handed_on.items() if name.startswith("PROMPTBUS_")}


def _loaded(options: str, **variables: str) -> dict[str, object]:
    script = _PRINT.replace("load_settings()", f"load_settings({options})")
    loaded: dict[str, object] = json.loads(python("-c", script, env=environment(**variables)).out)
    return loaded


def test_hosts_and_origins_are_lists() -> None:
    settings = load_settings(
        allowed_hosts="Bus.example,10.0.0.7,[fd00::7]",
        allowed_origins="https://chat.example,http://localhost:3000",
    )
    assert settings.allowed_hosts == ("bus.example", "10.0.0.7", "fd00::7")
    assert settings.allowed_origins == ("https://chat.example", "http://localhost:3000")
