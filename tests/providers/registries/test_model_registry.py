from pathlib import Path

import pytest

from contracts.errors import UnknownModel
from providers.registries.model_registry import ModelRegistry
from providers.registries.registry_file import RegistryFileInvalid
from providers.registries.strategy_registry import StrategyRegistry


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_first_built_in_model_is_pocket() -> None:
    assert ModelRegistry.from_toml().list()[0].key == "pocket"


def test_every_built_in_model_runs_with_known_strategies_and_stays_under_four_billion() -> None:
    strategies = StrategyRegistry.from_toml()
    for entry in ModelRegistry.from_toml().list():
        assert strategies.known_for(entry) == entry.strategies
        assert (entry.num_parameters or 0) < 4_000_000_000


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel) as caught:
        ModelRegistry.from_toml().get("/etc/passwd")
    assert "pocket" in caught.value.known
    assert "qwen3-0.6b" in str(caught.value.cure)


def test_a_file_adds_an_entry_and_overrides_single_fields(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '[models.mine]\nsource = "./folder"\n[models."qwen3-0.6b"]\nrank = 77\n',
    )
    registry = ModelRegistry.from_toml([file])
    assert registry.get("mine").source == str(tmp_path / "folder")
    assert registry.get("qwen3-0.6b").rank == 77
    assert registry.get("qwen3-0.6b").source == "Qwen/Qwen3-0.6B"


def test_the_last_of_two_files_wins(tmp_path: Path) -> None:
    first = tmp_path / "first.toml"
    first.write_text('[models.mine]\nsource = "a/b"\nrank = 1\n')
    second = write(tmp_path, "[models.mine]\nrank = 2\n")
    entry = ModelRegistry.from_toml([first, second], built_in=False).get("mine")
    assert (entry.source, entry.rank) == ("a/b", 2)


@pytest.mark.parametrize(
    ("text", "entry", "field", "in_cure"),
    [
        ("[models.mine]\nsource = 5", "mine", "source", "correct source"),
        ('[models.mine]\nsource = "a/b"\nrnak = 1', "mine", "rnak", "rank"),
        ("[models.mine]\nrank = 1", "mine", "source", "correct source"),
        ('[models.mine]\nsource = "a/b"\nprovider = "magic"', "mine", "provider", "correct"),
        ('[models.mine]\nsource = "a/b"\nrank = "high"', "mine", "rank", "correct rank"),
        ('[models.mine]\nsource = "a/b"\ngood_at = ["cooking"]', "mine", "good_at.0", "correct"),
        ('[models.mine]\nsource = "a/b"\ncontext_tokens = -1', "mine", "context_tokens", "correct"),
        ('[models.mine]\nsource = "no such"', "mine", "source", "owner/name"),
        ('[models.mine]\nsource = "a/b"\nstrategies = []', "mine", "strategies", "correct"),
        (
            '[models.mine]\nsource = "a/b"\nsampling = { temperature = 9 }',
            "mine",
            "sampling.temperature",
            "correct",
        ),
        (
            '[models.mine]\nsource = "a/b"\nstrategies = ["streaming"]',
            "mine",
            "default_strategy",
            "streaming",
        ),
        ('[models.far]\nprovider = "openai"\nsource = "m"', "far", "base_url", "https://"),
        (
            '[models.far]\nprovider = "openai"\nsource = "m"\nbase_url = "http://example.com/v1"\n'
            "allow_insecure = true",
            "far",
            "base_url",
            "https://",
        ),
        (
            '[models.far]\nprovider = "openai"\nsource = "m"\nbase_url = "http://localhost/v1"',
            "far",
            "base_url",
            "allow_insecure = true",
        ),
        (
            '[models.mine]\nsource = "a/b"\nbase_url = "https://host/v1"',
            "mine",
            "base_url",
            'provider = "openai"',
        ),
        (
            '[models.far]\nprovider = "openai"\nsource = "m"\nbase_url = "https://host/v1"\n'
            'api_key_env = "sk-123"',
            "far",
            "api_key_env",
            "correct api_key_env",
        ),
        ('[models.mine]\nsource = "a/b"\nfallbacks = ["none"]', "mine", "fallbacks", "pocket"),
        (
            '[models.mine]\nsource = "a/b"\nfallbacks = ["pocket"]\n'
            '[models.pocket]\nfallbacks = ["mine"]',
            "pocket",
            "fallbacks",
            "leave one of them out",
        ),
        ('[models.qwen9-0.6b]\nsource = "a/b"', "qwen9-0", "6b", '"qwen9-0.6b"'),
        ('[models."a b"]\nsource = "a/b"', "a b", "key", "correct key"),
        ("[model.mine]", "model", None, "[models."),
        ("models = 5", "models", None, "[models."),
        ("[models]\nmine = 5", "mine", None, "[models."),
        ("[models.mine", None, None, "correct that line"),
    ],
)
def test_a_fault_in_a_file_is_named_with_its_place_and_cure(
    tmp_path: Path, text: str, entry: str | None, field: str | None, in_cure: str
) -> None:
    with pytest.raises(RegistryFileInvalid) as caught:
        ModelRegistry.from_toml([write(tmp_path, text)])
    assert caught.value.file.name == "mine.toml"
    assert (caught.value.entry, caught.value.field) == (entry, field)
    assert in_cure in str(caught.value.cure)
    assert str(caught.value).startswith("mine.toml")
    assert str(tmp_path) not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryFileInvalid, match="does not exist"):
        ModelRegistry.from_toml([tmp_path / "none.toml"])


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b'[models.mine]\nsource = "\xff"')
    with pytest.raises(RegistryFileInvalid, match="UTF-8"):
        ModelRegistry.from_toml([file])


def test_a_remote_entry_keeps_the_servers_name_for_the_model(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '[models.far]\nprovider = "openai"\nsource = "no such: name"\n'
        'base_url = "https://host/v1"\nfallbacks = ["pocket"]\n',
    )
    registry = ModelRegistry.from_toml([file])
    assert registry.get("far").source == "no such: name"
    assert registry.get("far").is_remote
    assert [entry.key for entry in registry.chain("far")] == ["far", "pocket"]
