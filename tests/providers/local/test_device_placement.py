"""Where weights go, from a reservation."""

from hypothesis import given
from hypothesis import strategies as st

from providers.local.device_placement import place_weights
from providers.local.manager.memory_plan import Reservation


def test_one_device_takes_everything() -> None:
    placement = place_weights(Reservation({"cuda:1": 10, "cpu": 0}, kv_bytes=3))
    assert placement is not None
    assert (placement.main, dict(placement.max_memory)) == ("cuda:1", {})


def test_several_gpus_share_the_weights_and_keep_their_part_of_the_cache() -> None:
    placement = place_weights(Reservation({"cpu": 100, "cuda:1": 300, "cuda:0": 600}, kv_bytes=200))
    assert placement is not None
    assert placement.main == "cuda:0"
    assert list(placement.max_memory.items()) == [(0, 480), (1, 240), ("cpu", 80)]


def test_without_a_reservation_any_device_may_be_taken() -> None:
    assert place_weights(Reservation({})) is None


@given(
    st.dictionaries(st.sampled_from(["cpu", "cuda:0", "cuda:1", "cuda:10"]), st.integers(1, 2**40)),
    st.floats(0.0, 1.0),
)
def test_no_device_gets_more_than_was_reserved_of_it(
    devices: dict[str, int], kv_share: float
) -> None:
    kv_bytes = int(sum(devices.values()) * kv_share)
    placement = place_weights(Reservation(devices, kv_bytes))
    if placement is not None and placement.max_memory:
        for name, size in placement.max_memory.items():
            assert 0 <= size <= devices["cpu" if name == "cpu" else f"cuda:{name}"]
        assert sum(placement.max_memory.values()) >= sum(devices.values()) - kv_bytes
