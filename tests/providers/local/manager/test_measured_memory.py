import json
import logging
from pathlib import Path

import pytest

from providers.local.manager.measured_memory import (
    NOISE_BYTES,
    MeasuredMemory,
    MemoryGrowth,
    measured_devices,
    watch_growth,
)
from providers.local.manager.memory_plan import Demand, Reservation

KEY = ("qwen", "checkpoint")
GUESS = Demand(weights_bytes=1000, kv_bytes=300, workspace_bytes=100, indivisible_bytes=50)


def test_what_was_measured_replaces_the_guess_after_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "new" / "memory.json"
    MeasuredMemory(path, "box").remember(KEY, total_bytes=1500, kv_bytes=200)
    corrected = MeasuredMemory(path, "box").correct(KEY, GUESS)
    assert corrected == Demand(weights_bytes=1300, kv_bytes=300, indivisible_bytes=50)
    assert corrected.total_bytes == 1600


def test_hosts_models_and_strategies_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    MeasuredMemory(path, "box").remember(KEY, total_bytes=1500, kv_bytes=0)
    MeasuredMemory(path, "other").remember(KEY, total_bytes=99, kv_bytes=0)
    box = MeasuredMemory(path, "box")
    assert box.correct(KEY, GUESS).weights_bytes == 1500
    assert box.correct(("qwen", "fast"), GUESS) == GUESS
    assert MeasuredMemory(path, "third").correct(KEY, GUESS) == GUESS
    assert set(json.loads(path.read_text())["hosts"]) == {"box", "other"}


@pytest.mark.parametrize("text", ["{", "[]", '{"hosts": {"box": [{"model": 1}]}}', "\x00"])
def test_a_corrupt_file_is_ignored_with_a_warning_and_replaced(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "memory.json"
    path.write_text(text)
    with caplog.at_level(logging.WARNING):
        measured = MeasuredMemory(path, "box")
    assert str(path) in caplog.text
    assert measured.correct(KEY, GUESS) == GUESS
    measured.remember(KEY, total_bytes=5, kv_bytes=0)
    assert MeasuredMemory(path, "box").correct(KEY, GUESS).weights_bytes == 5
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_costs_a_warning_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    measured = MeasuredMemory(tmp_path / "file" / "memory.json", "box")
    with caplog.at_level(logging.WARNING):
        measured.remember(KEY, total_bytes=5, kv_bytes=0)
    assert "cannot write" in caplog.text
    assert measured.correct(KEY, GUESS).weights_bytes == 5


def test_growth_of_the_process_is_seen_above_the_noise() -> None:
    with watch_growth({"cpu": 1}) as growth:
        held = bytearray(NOISE_BYTES + (64 << 20))
    assert 32 << 20 < growth.bytes_by_device["cpu"] < 96 << 20
    assert held
    with watch_growth({"cpu": 1}) as small:
        more = bytearray(8 << 20)
    assert small.bytes_by_device == {"cpu": 0}
    assert more


def test_a_model_holds_at_least_its_tensors() -> None:
    reservation = Reservation({"cuda:0": 300, "cuda:1": 100})
    grown = MemoryGrowth({"cuda:0": 50, "cuda:1": 50})
    assert measured_devices(reservation, grown, 200) == {"cuda:0": 125, "cuda:1": 75}
    assert measured_devices(reservation, grown, 90) == {"cuda:0": 50, "cuda:1": 50}
