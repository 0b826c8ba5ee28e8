"""Speeds are measured with real weights once, and remembered."""

import asyncio
import json
from pathlib import Path

import pytest

from providers.cancellation import Cancellation
from providers.local.engine import Decoded
from providers.local.form_speeds import FormSpeeds
from providers.local.hosting import host_model
from providers.local.manager.memory_plan import Reservation
from providers.registries.strategy_registry import StrategyRegistry
from tests.providers.local.conftest import entry_of, job_of


async def generate_optimized(folder: Path, speeds: FormSpeeds | None) -> tuple[Decoded, int]:
    """A few tokens with the strategy `optimized`, and the bytes that the engine holds."""
    entry = entry_of(folder)
    engine = await asyncio.to_thread(
        host_model,
        entry,
        StrategyRegistry.from_toml().get("optimized", entry),
        Reservation({"cpu": 1 << 30}, 24 << 20),
        lambda done, total: None,
        num_threads=1,
        slots=4,
        speeds=speeds,
    )
    decoded = await engine.generate(
        job_of(folder, "optimized", max_tokens=8), on_text=None, cancel=Cancellation()
    )
    await engine.close()
    return decoded, engine.num_parameters


async def test_the_forms_are_measured_at_first_use_and_the_file_is_believed_then(
    endless_checkpoint: Path, tmp_path: Path
) -> None:
    file = tmp_path / "state" / "speeds.json"
    decoded, num_parameters = await generate_optimized(
        endless_checkpoint, FormSpeeds(file, "this host")
    )
    assert decoded.completion_tokens == 8
    assert num_parameters > 100_000
    written = json.loads(file.read_text())
    measured = written["this host"]["model"]["tokens_per_s"]
    assert "int8" in measured
    assert all(speed > 0 for speed in measured.values())

    written["this host"]["model"]["tokens_per_s"] = dict.fromkeys(measured, 1.5)
    file.write_text(json.dumps(written))
    await generate_optimized(endless_checkpoint, FormSpeeds(file, "this host"))
    assert json.loads(file.read_text()) == written


async def test_without_a_file_the_likely_one_is_taken(endless_checkpoint: Path) -> None:
    decoded, _ = await generate_optimized(endless_checkpoint, None)
    assert decoded.completion_tokens == 8


def test_figures_of_another_host_or_another_checkpoint_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "speeds.json"
    FormSpeeds(file, "a").remember("model", 100, {"int8": 2.0})
    FormSpeeds(file, "b").remember("model", 100, {"int8": 3.0})
    assert FormSpeeds(file, "a").of("model", 100) == {"int8": 2.0}
    assert FormSpeeds(file, "b").of("model", 100) == {"int8": 3.0}
    assert FormSpeeds(file, "a").of("model", 101) == {}
    assert FormSpeeds(file, "c").of("model", 100) == {}


def test_a_damaged_file_is_measured_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "speeds.json"
    file.write_text("{")
    speeds = FormSpeeds(file, "a")
    assert speeds.of("model", 1) == {}
    assert "speeds.json is damaged" in caplog.text
    speeds.remember("model", 1, {"int8": 2.0})
    assert speeds.of("model", 1) == {"int8": 2.0}
