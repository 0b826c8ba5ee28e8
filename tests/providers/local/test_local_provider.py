import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from contracts.errors import InvalidInput
from contracts.generation import GenerationRequest, GenerationResult, LoadProgress, TextDelta
from contracts.prompt import ChatMessage
from contracts.waiting import WaitNote
from providers.provider_gateway import ProviderGateway
from tests.providers.conftest import CONTEXT_TOKENS, BuildGateway

PROMPT = "the quick brown fox"


def ask(**fields: object) -> GenerationRequest:
    return GenerationRequest.model_validate({"model": "tiny", "prompt": PROMPT, **fields})


async def collect(
    gateway: ProviderGateway, request: GenerationRequest
) -> tuple[list[TextDelta], GenerationResult]:
    items = [item async for item in gateway.stream(request)]
    items = [item for item in items if not isinstance(item, WaitNote)]
    deltas = [item for item in items if isinstance(item, TextDelta)]
    result = items[-1]
    assert isinstance(result, GenerationResult)
    assert len(deltas) == len(items) - 1
    return deltas, result


async def first_long_output(gateway: ProviderGateway) -> tuple[int, str]:
    """A seed with which the model goes on for a while, and what it says then."""
    for seed in range(50):
        result = await gateway.generate(ask(max_tokens=60, temperature=1.0, seed=seed))
        if len(result.output) > 40:
            return seed, result.output
    raise AssertionError("no seed gives a long output")


async def test_greedy_output_is_that_of_a_plain_generate(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    ids = tokenizer(f"<|user|>{PROMPT}<|assistant|>", return_tensors="pt")
    with torch.inference_mode():
        tokens = model.generate(**ids, max_new_tokens=40, do_sample=False, pad_token_id=0)
    new = tokens[0, ids["input_ids"].shape[1] :]

    gateway = build_gateway(tiny=tiny_checkpoint)
    result = await gateway.generate(ask(max_tokens=40))
    expected = str(tokenizer.decode(new, skip_special_tokens=True))
    assert result.output == expected.rstrip("\ufffd")
    assert result.usage.prompt_tokens == ids["input_ids"].shape[1]
    assert result.usage.completion_tokens == len(new)
    assert result.finish_reason == ("stop" if 0 in new else "length")
    await gateway.close()


async def test_times_and_cache_hit_tell_the_first_request_from_the_second(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    first = await gateway.generate(ask(max_tokens=4))
    second = await gateway.generate(ask(max_tokens=4))
    assert (first.cache_hit, second.cache_hit) == (False, True)
    assert first.load_time_ms > 0.0
    assert second.load_time_ms == 0.0
    for result in (first, second):
        assert result.first_token_ms is not None
        assert result.load_time_ms < result.first_token_ms <= result.total_time_ms
        assert result.inference_time_ms <= result.total_time_ms
    await gateway.close()


async def test_the_same_seed_gives_the_same_text_and_another_seed_another(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    outputs = [
        (await gateway.generate(ask(max_tokens=30, temperature=1.5, seed=seed))).output
        for seed in (7, 7, 8)
    ]
    assert outputs[0] == outputs[1] != outputs[2]
    await gateway.close()


async def test_a_seed_holds_beside_other_requests_and_leaves_the_global_generator_alone(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint, other=tiny_checkpoint)
    sampled = ask(max_tokens=30, temperature=1.2, top_p=0.95, seed=3)
    alone = (await gateway.generate(sampled)).output
    state = torch.get_rng_state()
    crowd = [ask(model="other", max_tokens=30, temperature=1.0) for _ in range(3)]
    together = await asyncio.gather(*(gateway.generate(one) for one in (*crowd, sampled, *crowd)))
    assert together[3].output == alone
    assert torch.equal(state, torch.get_rng_state())
    await gateway.close()


async def test_a_tiny_top_p_is_greedy(build_gateway: BuildGateway, tiny_checkpoint: Path) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    greedy = await gateway.generate(ask(max_tokens=20))
    narrow = await gateway.generate(ask(max_tokens=20, temperature=1.0, top_p=1e-6))
    assert narrow.output == greedy.output
    await gateway.close()


async def test_a_repetition_penalty_changes_the_text(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    plain = await gateway.generate(ask(max_tokens=40))
    penalised = await gateway.generate(ask(max_tokens=40, repetition_penalty=2.0))
    assert plain.output != penalised.output
    await gateway.close()


async def test_deltas_joined_are_the_output_and_the_same_without_streaming(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    for seed in range(5):
        request = ask(max_tokens=60, temperature=1.0, seed=seed)
        deltas, result = await collect(gateway, request)
        assert "".join(delta.text for delta in deltas) == result.output
        offsets = [delta.offset for delta in deltas]
        assert offsets == [len(result.output[:at]) for at in offsets]
        assert all(delta.text for delta in deltas)
        assert (await gateway.generate(request)).output == result.output
    await gateway.close()


async def test_every_stop_string_cuts_exactly_where_it_begins(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    seed, whole = await first_long_output(gateway)
    for length in (1, 2, 3, 7):
        for begin in range(0, len(whole) - length, 5):
            stop = whole[begin : begin + length]
            request = ask(max_tokens=60, temperature=1.0, seed=seed, stop=(stop,))
            deltas, result = await collect(gateway, request)
            assert result.output == whole[: whole.find(stop)]
            assert "".join(delta.text for delta in deltas) == result.output
            assert result.finish_reason == "stop"
    await gateway.close()


async def test_max_tokens_is_kept_and_reported_as_length(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    for max_tokens in (1, 2, 9):
        result = await gateway.generate(ask(max_tokens=max_tokens))
        assert result.usage.completion_tokens == max_tokens
        assert result.finish_reason == "length"
    await gateway.close()


async def test_max_tokens_is_clipped_to_the_context(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    for seed in range(20):
        result = await gateway.generate(ask(max_tokens=30_000, temperature=0.3, seed=seed))
        assert result.usage.total_tokens <= CONTEXT_TOKENS
        if result.finish_reason == "length":
            break
    assert result.finish_reason == "length"
    assert result.usage.total_tokens == CONTEXT_TOKENS
    await gateway.close()


async def test_a_prompt_longer_than_the_context_is_refused(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    with pytest.raises(InvalidInput) as caught:
        await gateway.generate(ask(prompt="the lazy dog " * 500))
    assert caught.value.field == "prompt"
    assert caught.value.limit == CONTEXT_TOKENS
    assert (await gateway.generate(ask(max_tokens=1))).usage.completion_tokens == 1
    await gateway.close()


async def test_concurrent_requests_load_once_and_get_what_they_get_alone(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    requests = [ask(max_tokens=20, temperature=1.0, seed=seed) for seed in range(6)]
    together = await asyncio.gather(*(gateway.generate(request) for request in requests))
    alone = [await gateway.generate(request) for request in requests]
    assert [one.output for one in together] == [one.output for one in alone]
    assert not any(one.cache_hit for one in together)
    assert max(one.queue_time_ms for one in together) > 0.0
    await gateway.close()


async def test_the_event_loop_runs_on_while_a_model_loads_and_generates(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    generation = asyncio.create_task(gateway.generate(ask(max_tokens=200)))
    num_ticks = 0
    while not generation.done():
        await asyncio.sleep(0.001)
        num_ticks += 1
    assert num_ticks > 5
    await gateway.close()


async def test_progress_of_a_load_is_told_in_growing_bytes(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    reports: list[LoadProgress] = []
    await gateway.load("tiny", on_progress=reports.append)
    done = [report.bytes_done for report in reports]
    weights = (tiny_checkpoint / "model.safetensors").stat().st_size
    assert len(reports) >= 5
    assert done == sorted(done)
    assert done[-1] == reports[-1].bytes_total
    assert 0.9 * weights < done[-1] <= weights
    assert done[-2] > 0.5 * done[-1]
    await gateway.close()


async def test_reports_follow_loading_and_unloading(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)

    def report() -> tuple[bool, str | None, float | None]:
        found = next(one for one in gateway.models() if one.model == "tiny")
        return found.resident, found.resident_strategy, found.loading

    assert report() == (False, None, None)
    loading = asyncio.create_task(gateway.load("tiny", "streaming"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert report() == (False, None, 0.0)
    loaded = await loading
    assert report() == (True, "streaming", None)
    assert loaded.context_tokens == CONTEXT_TOKENS
    assert await gateway.unload("tiny")
    assert report() == (False, None, None)
    assert not await gateway.unload("tiny")
    await gateway.close()


async def test_unloading_waits_for_the_generation_in_progress(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    await gateway.load("tiny")
    generation = asyncio.create_task(gateway.generate(ask(max_tokens=60)))
    await asyncio.sleep(0.005)
    assert await gateway.unload("tiny")
    assert generation.done()
    assert (await generation).usage.completion_tokens > 0
    await gateway.close()


async def test_strategies_with_the_same_weights_share_them(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    first = await gateway.generate(ask(max_tokens=5))
    second = await gateway.generate(ask(max_tokens=5, strategy="streaming"))
    assert second.cache_hit
    assert second.strategy == "streaming"
    assert second.output == first.output
    await gateway.close()


async def test_optimized_generates_too(build_gateway: BuildGateway, tiny_checkpoint: Path) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    result = await gateway.generate(ask(max_tokens=5, strategy="optimized"))
    assert result.strategy == "optimized"
    assert result.usage.completion_tokens > 0
    await gateway.close()


async def test_the_conversation_reaches_the_model(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    gateway = build_gateway(tiny=tiny_checkpoint)
    turns = (
        ChatMessage(role="user", content="the lazy dog"),
        ChatMessage(role="assistant", content="jumps"),
    )
    alone = await gateway.generate(ask(max_tokens=5))
    within = await gateway.generate(ask(max_tokens=5, messages=turns))
    assert within.usage.prompt_tokens > alone.usage.prompt_tokens
    await gateway.close()
