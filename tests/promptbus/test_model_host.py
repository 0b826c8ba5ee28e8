"""What an executor's machine says of itself, with budgets that make it a small one."""

from pathlib import Path

import pytest

from contracts.errors import InvalidInput
from contracts.generation import GenerationRequest
from contracts.presence import DeviceReport, HostReport, ModelReport
from promptbus.model_host import ModelHost
from promptbus.settings import Settings, load_settings

BUDGET_BYTES = 64 << 20


def settings_of(data_dir: Path, **fields: object) -> Settings:
    return load_settings(
        data_dir=data_dir, executor_name="box", memory_budget="cpu=64MiB", **fields
    )


def ram(report: HostReport) -> DeviceReport:
    return next(device for device in report.devices if device.name == "cpu")


def pocket(report: HostReport) -> ModelReport:
    return next(model for model in report.models if model.model == "pocket")


async def test_a_host_shows_its_budget_and_what_models_hold_of_it(tmp_path: Path) -> None:
    host = ModelHost(settings_of(tmp_path))
    before = await host.describe()
    assert before.host == "box"
    assert ram(before).total_bytes == ram(before).free_bytes == BUDGET_BYTES
    assert not pocket(before).resident

    await host.gateway.load("pocket")
    loaded = await host.describe()
    size_bytes = pocket(loaded).size_bytes or 0
    assert 0 < size_bytes < BUDGET_BYTES
    assert ram(loaded).free_bytes == BUDGET_BYTES - size_bytes
    assert ram(loaded).evictable_bytes == size_bytes
    assert not pocket(loaded).pinned

    host.gateway.pin("pocket")
    assert ram(await host.describe()).evictable_bytes == 0
    assert pocket(await host.describe()).pinned
    await host.gateway.generate(GenerationRequest(prompt="Hello!", max_tokens=2))
    assert pocket(await host.describe()).generation_s is not None
    await host.gateway.set_budgets({"cpu": 2 * BUDGET_BYTES})
    assert ram(await host.describe()).total_bytes == 2 * BUDGET_BYTES
    await host.close()


async def test_what_a_model_took_is_known_after_the_next_start(tmp_path: Path) -> None:
    first = ModelHost(settings_of(tmp_path))
    await first.gateway.load("pocket")
    measured = pocket(await first.describe()).size_bytes
    await first.close()
    second = ModelHost(settings_of(tmp_path))
    assert pocket(await second.describe()).size_bytes == measured
    await second.close()


def test_a_budget_for_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, memory_budget="tpu:9=1GiB")
    with pytest.raises(InvalidInput, match="PROMPTBUS_MEMORY_BUDGET: no device 'tpu:9' here"):
        ModelHost(settings)


def test_a_budget_that_is_none_is_refused_where_it_was_written() -> None:
    with pytest.raises(InvalidInput, match=r"--memory-budget: .*'plenty' is not"):
        load_settings(memory_budget="plenty")
