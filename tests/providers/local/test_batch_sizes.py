"""The sizes of a batch stay within what was reserved for them."""

from hypothesis import given
from hypothesis import strategies as st

from providers.local.batch_sizes import MIN_SLOT_TOKENS, fit_batch


@given(
    kv_bytes=st.integers(0, 2**36),
    token_bytes=st.integers(64, 2**19),
    mask_item_bytes=st.sampled_from([0, 2, 4, 8]),
    sector_blocks=st.integers(1, 64),
    context_tokens=st.one_of(st.none(), st.integers(1, 2**20)),
    slots=st.integers(1, 256),
    prefill_tokens=st.integers(16, 8192),
)
def test_cache_and_buffers_fit_and_every_slot_has_room(
    *,
    kv_bytes: int,
    token_bytes: int,
    mask_item_bytes: int,
    sector_blocks: int,
    context_tokens: int | None,
    slots: int,
    prefill_tokens: int,
) -> None:
    sizes = fit_batch(
        kv_bytes=kv_bytes,
        token_bytes=token_bytes,
        mask_item_bytes=mask_item_bytes,
        sector_blocks=sector_blocks,
        context_tokens=context_tokens,
        slots=slots,
        prefill_tokens=prefill_tokens,
    )
    if sizes is None:
        return
    assert 1 <= sizes.slots <= slots
    assert sizes.slots <= sizes.max_batch_tokens
    assert sizes.capacity_tokens >= sizes.slots * MIN_SLOT_TOKENS
    assert sizes.num_blocks % sector_blocks == 0
    masks = sizes.max_batch_tokens * (sizes.capacity_tokens + sizes.max_batch_tokens)
    assert sizes.capacity_tokens * token_bytes + masks * mask_item_bytes <= kv_bytes


def test_more_memory_than_all_contexts_need_is_not_taken() -> None:
    sizes = fit_batch(
        kv_bytes=2**34,
        token_bytes=1024,
        mask_item_bytes=4,
        sector_blocks=1,
        context_tokens=512,
        slots=16,
        prefill_tokens=256,
    )
    assert sizes is not None
    assert sizes.capacity_tokens == 16 * 512
