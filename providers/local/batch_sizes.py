"""How many tokens and requests a KV cache of so many bytes serves; pure."""

from dataclasses import dataclass

PAGE_TOKENS = 32
# Rows of the cache that the manager keeps for itself.
_NUM_TRASH_SECTORS = 2
# A slot that could hold less than this is none.
MIN_SLOT_TOKENS = 128


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """Sizes in tokens; ``num_blocks`` of ``page_tokens`` each make the cache."""

    slots: int
    max_batch_tokens: int
    page_tokens: int
    num_blocks: int

    @property
    def capacity_tokens(self) -> int:
        """Tokens of all requests together."""
        return self.num_blocks * self.page_tokens


def fit_batch(
    *,
    kv_bytes: int,
    token_bytes: int,
    mask_item_bytes: int,
    sector_blocks: int,
    context_tokens: int | None,
    slots: int,
    prefill_tokens: int,
) -> BatchSizes | None:
    """The largest cache within ``kv_bytes``, with the buffers that grow with it; None if too small.

    ``token_bytes`` is one token's keys and values in all layers, ``mask_item_bytes`` what one pair
    of query and key takes in the attention masks, ``sector_blocks`` the blocks that are allotted
    together. More cache than all slots' contexts can fill is not taken.
    """
    max_batch_tokens = max(slots, prefill_tokens)
    fixed = max_batch_tokens * max_batch_tokens * mask_item_bytes
    fixed += _NUM_TRASH_SECTORS * sector_blocks * PAGE_TOKENS * token_bytes
    # Besides its keys and values a cached token takes a column of the masks and an index.
    per_token = token_bytes + max_batch_tokens * mask_item_bytes + 16
    num_tokens = (kv_bytes - fixed) // per_token
    if context_tokens is not None:
        page = PAGE_TOKENS * sector_blocks
        num_tokens = min(num_tokens, slots * -(-context_tokens // page) * page)
    num_blocks = num_tokens // PAGE_TOKENS // sector_blocks * sector_blocks
    if num_blocks * PAGE_TOKENS < MIN_SLOT_TOKENS:
        return None
    slots = max(1, min(slots, num_blocks * PAGE_TOKENS // MIN_SLOT_TOKENS))
    return BatchSizes(slots, max(slots, prefill_tokens), PAGE_TOKENS, num_blocks)
