import pytest

from contracts.presence import DeviceReport
from providers.local.manager.memory_plan import DeviceMemory
from providers.memory_budget import (
    choose_budgets,
    default_budgets,
    device_name,
    parse_budgets,
    with_budgets,
)

RAM = DeviceReport(name="cpu", kind="cpu", total_bytes=1000, free_bytes=500)
GPU = DeviceReport(name="cuda:0 NVIDIA A100", kind="cuda", total_bytes=1000, free_bytes=990)


@pytest.mark.parametrize(
    ("text", "budgets"),
    [
        ("cpu=8GiB,cuda:0=20GiB", {"cpu": 8 << 30, "cuda:0": 20 << 30}),
        (" cpu = 1.5 g , ", {"cpu": 3 << 29}),
        ("cpu=100", {"cpu": 100}),
        ("cpu=10 MB", {"cpu": 10 << 20}),
        ("", {}),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, budgets: dict[str, int]) -> None:
    assert parse_budgets(text) == budgets


@pytest.mark.parametrize("text", ["8GiB", "cpu=", "cpu=much", "=8GiB", "cpu=-1", "cpu=8XB"])
def test_what_is_no_size_of_a_device_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not device=size") as caught:
        parse_budgets(text)
    assert text in str(caught.value)


def test_by_default_part_of_what_is_free_is_left_to_others() -> None:
    assert default_budgets((GPU, RAM)) == {"cuda:0": 900, "cpu": 400}
    crowded = GPU.model_copy(update={"free_bytes": 300})
    assert default_budgets((crowded,)) == {"cuda:0": 300}


def test_a_wish_replaces_the_default_of_its_device_only() -> None:
    assert choose_budgets((GPU, RAM), {"cpu": 7}) == {"cuda:0": 900, "cpu": 7}
    with pytest.raises(ValueError, match="no device 'cuda:1' here; there is cuda:0, cpu"):
        choose_budgets((GPU, RAM), {"cuda:1": 7})


def test_a_report_shows_budgets_and_what_is_reserved_of_them() -> None:
    memory = DeviceMemory("cuda:0", budget_bytes=900, reserved_bytes=600, evictable_bytes=200)
    gpu, ram = with_budgets((GPU, RAM), (memory,))
    assert (gpu.total_bytes, gpu.free_bytes, gpu.evictable_bytes) == (900, 300, 200)
    assert gpu.name == GPU.name
    assert device_name(gpu) == "cuda:0"
    assert ram == RAM
