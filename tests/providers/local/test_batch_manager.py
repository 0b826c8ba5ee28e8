"""What is relied on of transformers' manager, whichever of the allowed versions is installed."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from providers.local.batch_manager import BatchManager, RequestNews
from providers.local.batch_sizes import PAGE_TOKENS, BatchSizes
from providers.local.sampling import TokenChooser

SIZES = BatchSizes(slots=4, max_batch_tokens=256, page_tokens=PAGE_TOKENS, num_blocks=128)
PROMPT = [5, 6, 7, 8, 9]
WAIT_S = 30.0

Steps = queue.Queue[list[RequestNews]]


@pytest.fixture(scope="module")
def model(endless_checkpoint: Path) -> Any:
    """The endless checkpoint as transformers loads it."""
    loaded: Any = AutoModelForCausalLM.from_pretrained(endless_checkpoint)
    return loaded.eval()


@contextmanager
def running(model: Any) -> Iterator[tuple[BatchManager, Steps]]:
    """A manager, and its news step by step."""
    steps: queue.Queue[list[RequestNews]] = queue.Queue()
    manager = BatchManager(model, SIZES, lambda news: steps.put(list(news)), lambda: None)
    try:
        yield manager, steps
    finally:
        manager.stop()


def greedy(num_prompt_tokens: int) -> TokenChooser:
    return TokenChooser(0.0, 1.0, 1.0, torch.Generator(), None, num_prompt_tokens)


def add(manager: BatchManager, name: str, ids: list[int], **options: Any) -> None:
    assert manager.add(
        name,
        ids,
        **{"max_tokens": 8, "eos_ids": frozenset(), "chooser": greedy(len(ids)), **options},
    )


def until_ended(steps: Steps, name: str) -> list[RequestNews]:
    """All news of a request up to its end."""
    heard: list[RequestNews] = []
    while not heard or not heard[-1].ended:
        heard += [one for one in steps.get(timeout=WAIT_S) if one.request_id == name]
    return heard


def test_tokens_come_one_a_step_with_all_before_them_and_the_last_ends_it(model: Any) -> None:
    with torch.inference_mode():
        plain = model.generate(torch.tensor([PROMPT]), max_new_tokens=8, do_sample=False)
    with running(model) as (manager, steps):
        add(manager, "a", PROMPT)
        heard = until_ended(steps, "a")
    assert [len(one.tokens) for one in heard] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [one.ended for one in heard] == [False] * 7 + [True]
    assert list(heard[-1].tokens) == plain[0, len(PROMPT) :].tolist()
    assert all(one.error is None for one in heard)


def test_an_end_of_turn_token_ends_a_request_and_is_told(model: Any) -> None:
    with running(model) as (manager, steps):
        add(manager, "a", PROMPT)
        tokens = list(until_ended(steps, "a")[-1].tokens)
        add(manager, "b", PROMPT, eos_ids=frozenset({tokens[3]}))
        last = until_ended(steps, "b")[-1]
    assert list(last.tokens) == tokens[: tokens.index(tokens[3]) + 1]


def test_a_cancelled_request_is_told_to_be_dropped(model: Any) -> None:
    with running(model) as (manager, steps):
        add(manager, "a", PROMPT, max_tokens=3000)
        steps.get(timeout=WAIT_S)
        manager.cancel("a")
        last = until_ended(steps, "a")[-1]
        assert (list(last.tokens), last.error) == ([], None)
        assert manager.is_alive


def test_a_streaming_request_keeps_the_pieces_of_others_prompts_small(model: Any) -> None:
    num_steps: list[int] = []
    with running(model) as (manager, steps):
        for name, prefill_tokens in (("wide", None), ("narrow", 32)):
            add(manager, name, PROMPT, max_tokens=3000, prefill_tokens=prefill_tokens)
            steps.get(timeout=WAIT_S)
            # Begins with another token each time: what is cached would not be read again.
            add(manager, f"long {name}", [len(num_steps)] + [10, 11, 12] * 300, max_tokens=1)
            count = 0
            while all(one.request_id != f"long {name}" for one in steps.get(timeout=WAIT_S)):
                count += 1
            num_steps.append(count)
            manager.cancel(name)
            until_ended(steps, name)
            manager.forget(name)
    # 901 tokens: 28 pieces of 32. Besides a few steps before the long prompt came, it was 4.
    assert num_steps[1] >= 27


def test_the_process_keeps_its_random_numbers(model: Any) -> None:
    state = torch.get_rng_state()
    with running(model) as (manager, steps):
        add(manager, "a", PROMPT)
        until_ended(steps, "a")
    assert torch.equal(state, torch.get_rng_state())


def test_a_stopped_manager_takes_nothing_and_the_model_generates_as_before(
    model: Any, endless_checkpoint: Path
) -> None:
    with running(model) as (manager, steps):
        assert manager.cache_bytes > 0
        add(manager, "a", PROMPT)
        tokens = list(until_ended(steps, "a")[-1].tokens)
    assert not manager.is_alive
    assert not manager.add(
        "b", PROMPT, max_tokens=2, eos_ids=frozenset(), chooser=greedy(len(PROMPT))
    )
    with torch.inference_mode():
        plain = model.generate(torch.tensor([PROMPT]), max_new_tokens=8, do_sample=False)
    assert plain[0, len(PROMPT) :].tolist() == tokens
    assert AutoTokenizer.from_pretrained(endless_checkpoint).decode(tokens)
