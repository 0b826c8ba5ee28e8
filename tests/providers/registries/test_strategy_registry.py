from pathlib import Path

import pytest

from contracts.errors import UnknownStrategy
from providers.registries.model_entry import ModelEntry
from providers.registries.registry_file import RegistryFileInvalid
from providers.registries.strategy_registry import StrategyRegistry

ENTRY = ModelEntry(key="mine", source="a/b", strategies=("standard", "streaming"))


def test_every_strategy_says_what_it_promises() -> None:
    strategies = StrategyRegistry.from_toml().list()
    assert [strategy.key for strategy in strategies] == ["standard", "optimized", "streaming"]
    assert all(strategy.promise.endswith(".") for strategy in strategies)


def test_a_strategy_that_the_model_lacks_is_refused_with_alternatives() -> None:
    with pytest.raises(UnknownStrategy) as caught:
        StrategyRegistry.from_toml().get("optimized", ENTRY)
    assert caught.value.known == ("standard", "streaming")


def test_a_strategy_that_does_not_exist_is_refused() -> None:
    entry = ENTRY.model_copy(update={"strategies": ("standard", "warp")})
    with pytest.raises(UnknownStrategy) as caught:
        StrategyRegistry.from_toml().get("warp", entry)
    assert caught.value.known == ("standard",)


def test_a_file_changes_one_field_of_a_strategy(tmp_path: Path) -> None:
    file = tmp_path / "strategies.toml"
    file.write_text("[strategies.standard]\nwarm_up = true\n")
    strategy = StrategyRegistry.from_toml([file]).get("standard", ENTRY)
    assert strategy.warm_up
    assert strategy.dtype == "checkpoint"


def test_a_wrong_dtype_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "strategies.toml"
    file.write_text('[strategies.standard]\ndtype = "int3"\n')
    with pytest.raises(RegistryFileInvalid) as caught:
        StrategyRegistry.from_toml([file])
    assert caught.value.field == "dtype"
