"""The schemas in the documentation say what the contracts say."""

import json
from pathlib import Path

import jsonschema
import pytest

from contracts.prompt import PromptRequest
from promptbus.schema_export import EXPORTED, FOLDER, drift, main, render, write

REPOSITORY = Path(__file__).parents[2]


def test_the_schemas_in_the_documentation_are_those_of_the_contracts() -> None:
    assert drift(REPOSITORY / FOLDER) == [], "run: python -m promptbus.schema_export"


def test_the_schemas_are_the_same_every_time() -> None:
    assert render() == render()
    assert len(render()) == len(EXPORTED)


def test_every_difference_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "schema"
    assert main([str(folder)]) == 0
    assert main(["--check", str(folder)]) == 0
    (folder / "RunView.json").unlink()
    (folder / "Stranger.json").write_text("{}")
    (folder / "SubmitPrompt.json").write_text("{}")
    assert main(["--check", str(folder)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[:3] == [
        "RunView.json: is missing",
        "Stranger.json: is left over",
        "SubmitPrompt.json: differs from the contracts",
    ]
    write(folder)
    assert drift(folder) == []


@pytest.mark.parametrize("name", sorted(render()))
def test_a_schema_is_valid_and_refers_to_nothing_outside(name: str) -> None:
    schema = json.loads(render()[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "#/$defs/" in json.dumps(schema) or "$ref" not in json.dumps(schema)


def test_a_request_that_the_schema_takes_is_taken() -> None:
    schema = json.loads(render()["PromptRequest.json"])
    body = {"prompt": "hello", "max_tokens": 5, "priority": "batch"}
    jsonschema.validate(body, schema)
    assert PromptRequest.model_validate_json(json.dumps(body)).max_tokens == 5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**body, "promt": "misspelt"}, schema)
