import psutil
import pytest
import torch

from providers.local.untouched_zeros import MIN_BYTES, UntouchedZeros


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bfloat16, torch.float32, None])
@pytest.mark.parametrize("size", [(MIN_BYTES,), ((64, MIN_BYTES // 64),), (8,), ((0, 3),)])
def test_they_are_the_zeros_that_torch_makes(
    size: tuple[object, ...], dtype: torch.dtype | None
) -> None:
    expected = torch.zeros(*size, dtype=dtype)  # type: ignore[call-overload]
    with UntouchedZeros():
        found = torch.zeros(*size, dtype=dtype)  # type: ignore[call-overload]
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)
    found += 1
    assert torch.equal(found, expected + 1)


def test_they_take_memory_only_where_they_were_written() -> None:
    process, size = psutil.Process(), 256 << 20
    before = process.memory_info().rss
    with UntouchedZeros():
        zeros = torch.zeros(size, dtype=torch.uint8)
    assert process.memory_info().rss - before < size // 8
    zeros[: size // 2] = 1
    assert process.memory_info().rss - before > size // 4
    assert int(zeros.sum()) == size // 2


def test_more_than_there_is_address_space_for_is_a_memory_error() -> None:
    with UntouchedZeros(), pytest.raises(MemoryError):
        torch.zeros(1 << 60, dtype=torch.uint8)


def test_what_is_no_plain_zeros_on_the_cpu_is_left_to_torch() -> None:
    with UntouchedZeros():
        assert torch.zeros(MIN_BYTES, device="meta").is_meta
        assert torch.zeros(MIN_BYTES, requires_grad=True).requires_grad
        assert torch.ones(MIN_BYTES).sum() == MIN_BYTES
