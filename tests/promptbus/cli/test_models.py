"""``promptbus models``: what is served, or what this machine could serve."""

from pathlib import Path

from tests.promptbus.commands import environment, promptbus, promptbus_each
from tests.promptbus.conftest import System


def test_the_models_of_a_running_system_are_listed_with_their_host(system: System) -> None:
    listed, as_json = system.each("models", "models --json")
    lines = listed.out.splitlines()
    assert lines[0].split() == [
        "model",
        "provider",
        "state",
        "host",
        "size",
        "context",
        "strategies",
    ]
    pocket = next(line.split() for line in lines if line.startswith("pocket"))
    assert pocket[1] == "local"
    offers = {offer["model"]: offer for offer in as_json.json()}
    assert offers["pocket"]["host"]
    assert offers["pocket"]["available"]
    assert not offers["qwen3-0.6b"]["available"]


def test_without_one_the_registry_is_listed_and_nothing_is_called_resident(tmp_path: Path) -> None:
    env = environment(PROMPTBUS_DATA_DIR=str(tmp_path / "data"))
    done, as_json = promptbus_each([["models"], ["models", "--json"]], env=env)
    assert done.code == 0
    assert "resident" not in done.out
    assert f"nothing runs on {tmp_path / 'data'}" in done.err
    assert not (tmp_path / "data").exists()
    assert {offer["host"] for offer in as_json.json()} == {None}


def test_a_models_file_adds_to_the_list_or_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text('[models.mine]\nsource = "./checkpoint"\n')
    env = environment(PROMPTBUS_DATA_DIR=str(tmp_path), PROMPTBUS_MODELS_FILE=str(file))
    assert "mine" in promptbus("models", env=env).out
    file.write_text('[models.mine]\nsource = "./checkpoint"\nrnak = 3\n')
    done = promptbus("models", env=env)
    assert done.code == 1
    assert done.err.startswith(
        "error models.toml: mine: rnak: is not a known field\n help the fields"
    )
