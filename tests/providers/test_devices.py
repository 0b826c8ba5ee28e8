from pathlib import Path

import psutil
import pytest

from providers.devices import (
    HostReader,
    MemoryLimit,
    num_cpus,
    order_gpus,
    read_memory_limit,
    read_ram,
)

GIB = 1 << 30


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_a_control_group_the_ram_is_the_machines(tmp_path: Path) -> None:
    report = read_ram(tmp_path)
    assert report.kind == "cpu"
    assert report.total_bytes == psutil.virtual_memory().total
    assert 0 < report.free_bytes <= report.total_bytes


def test_the_limit_of_a_control_group_counts(tmp_path: Path) -> None:
    write(
        tmp_path,
        memory_dot_max=f"{GIB}\n",
        memory_dot_current=f"{GIB // 2}\n",
        memory_dot_stat=f"anon 5\ninactive_file {GIB // 4}\n",
    )
    assert read_memory_limit(tmp_path) == MemoryLimit(GIB, GIB // 4)
    report = read_ram(tmp_path)
    assert report.total_bytes == GIB
    assert report.free_bytes == GIB - GIB // 4


def test_the_first_version_of_control_groups_counts_too(tmp_path: Path) -> None:
    write(
        tmp_path,
        memory__memory_dot_limit_in_bytes=f"{GIB}\n",
        memory__memory_dot_usage_in_bytes="100\n",
        memory__memory_dot_stat="total_inactive_file 60\n",
    )
    assert read_memory_limit(tmp_path) == MemoryLimit(GIB, 40)


@pytest.mark.parametrize("text", ["max\n", "", "many"])
def test_a_control_group_without_limit_changes_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path, memory_dot_max=text, memory_dot_current="100\n")
    assert read_memory_limit(tmp_path) is None


@pytest.mark.parametrize(("quota", "expected"), [("100000 100000", 1), ("50000 100000", 1)])
def test_a_quota_of_cpu_time_bounds_the_cpus(tmp_path: Path, quota: str, expected: int) -> None:
    assert num_cpus(write(tmp_path, cpu_dot_max=quota)) == expected


def test_no_quota_leaves_all_cpus(tmp_path: Path) -> None:
    assert num_cpus(write(tmp_path, cpu_dot_max="max 100000")) == num_cpus(tmp_path) >= 1


def test_the_host_report_has_ram_and_whatever_gpus_there_are() -> None:
    reader = HostReader(host="box")
    report = reader.read()
    reader.close()
    assert report.host == "box"
    assert [device.kind for device in report.devices].count("cpu") == 1
    assert all(0 <= device.free_bytes <= device.total_bytes for device in report.devices)
    assert 0.0 <= report.cpu_percent <= 100.0


UUIDS = ("GPU-aa11", "GPU-aa22", "GPU-bb33")


@pytest.mark.parametrize(
    ("visible", "order"),
    [
        (None, [0, 1, 2]),
        ("2,0", [2, 0]),
        ("GPU-bb, 1", [2, 1]),
        ("GPU-aa11", [0]),
        ("", []),
        ("-1", []),
        ("1,7,0", [1]),
        ("GPU-aa", []),
    ],
)
def test_gpus_are_numbered_as_torch_will_number_them(visible: str | None, order: list[int]) -> None:
    assert order_gpus(UUIDS, visible) == order
