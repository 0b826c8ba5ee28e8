"""What holds for an engine whether it batches or not."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from contracts.errors import InvalidInput, ProviderFailed
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.local.batch_engine import BatchEngine
from providers.local.engine import Decoded, Engine
from providers.local.serial_engine import SerialEngine
from tests.providers.conftest import CONTEXT_TOKENS
from tests.providers.local.conftest import EngineKind, HostEngine, job_of

KINDS = pytest.mark.parametrize("kind", [SerialEngine, BatchEngine])
PROMPTS = ("the lazy dog", "la capital de España", "x", "the quick brown fox jumps over " * 3)
SAMPLED: dict[str, Any] = {"max_tokens": 40, "temperature": 1.2}


async def run(engine: Engine, *jobs: GenerationJob) -> list[Decoded]:
    """All jobs, as many at a time as the engine takes."""
    slots = asyncio.Semaphore(engine.slots)

    async def run_one(job: GenerationJob) -> Decoded:
        async with slots:
            return await engine.generate(job, on_text=None, cancel=Cancellation())

    return list(await asyncio.gather(*(run_one(job) for job in jobs)))


async def cancel_at(engine: Engine, job: GenerationJob, num_pieces: int) -> tuple[Decoded, str]:
    """Cancel once so many pieces of text have come; what was decoded and what was heard."""
    cancel, pieces = Cancellation(), list[str]()

    def hear(text: str) -> None:
        pieces.append(text)
        if len(pieces) == num_pieces:
            cancel.cancel()

    decoded = await engine.generate(job, on_text=hear, cancel=cancel)
    return decoded, "".join(pieces)


@KINDS
async def test_greedy_output_is_that_of_a_plain_generate(
    host_engine: HostEngine, endless_checkpoint: Path, kind: EngineKind
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(endless_checkpoint)
    model: Any = AutoModelForCausalLM.from_pretrained(endless_checkpoint)
    expected = []
    for prompt in PROMPTS:
        ids = tokenizer(f"<|user|>{prompt}<|assistant|>", return_tensors="pt")
        with torch.inference_mode():
            tokens = model.generate(**ids, max_new_tokens=30, do_sample=False)
        new = tokens[0, ids["input_ids"].shape[1] :]
        expected.append(str(tokenizer.decode(new, skip_special_tokens=True)).rstrip("\ufffd"))
    jobs = [job_of(endless_checkpoint, prompt=prompt, max_tokens=30) for prompt in PROMPTS]
    async with host_engine(kind, endless_checkpoint) as engine:
        assert [one.output for one in await run(engine, *jobs)] == expected


@pytest.mark.parametrize(
    "fields",
    [
        {**SAMPLED, "seed": 3},
        {**SAMPLED, "seed": 4, "top_p": 0.8},
        {**SAMPLED, "seed": 5, "repetition_penalty": 1.3},
        {"max_tokens": 40, "repetition_penalty": 1.8},
    ],
)
async def test_the_same_seed_gives_the_same_text_alone_in_a_crowd_and_unbatched(
    host_engine: HostEngine, endless_checkpoint: Path, fields: dict[str, Any]
) -> None:
    job = job_of(endless_checkpoint, **fields)
    crowd = [job_of(endless_checkpoint, prompt=prompt, **SAMPLED) for prompt in PROMPTS]
    greedy = job_of(endless_checkpoint, max_tokens=60)
    async with host_engine(SerialEngine, endless_checkpoint) as serial:
        (alone,) = await run(serial, job)
    async with host_engine(BatchEngine, endless_checkpoint) as batch:
        (first,) = await run(batch, job)
        among = await run(batch, *crowd, job, greedy, job)
    assert alone.output == first.output == among[-3].output == among[-1].output
    assert among[-2].output != alone.output


@KINDS
async def test_the_pieces_joined_are_the_output_and_stop_strings_cut_it(
    host_engine: HostEngine, endless_checkpoint: Path, kind: EngineKind
) -> None:
    async with host_engine(kind, endless_checkpoint) as engine:
        (whole,) = await run(engine, job_of(endless_checkpoint, max_tokens=60))
        for begin in range(5, 60, 9):
            stop = whole.output[begin : begin + 3]
            pieces: list[str] = []
            decoded = await engine.generate(
                job_of(endless_checkpoint, max_tokens=60, stop=(stop,)),
                on_text=pieces.append,
                cancel=Cancellation(),
            )
            assert decoded.output == whole.output[: whole.output.find(stop)] == "".join(pieces)
            assert decoded.finish_reason == "stop"
            assert decoded.completion_tokens <= whole.completion_tokens


@KINDS
async def test_lengths_are_kept_to_the_token(
    host_engine: HostEngine, endless_checkpoint: Path, kind: EngineKind
) -> None:
    lengths = (1, 2, 3, 17, 33)
    jobs = [job_of(endless_checkpoint, max_tokens=length) for length in lengths]
    async with host_engine(kind, endless_checkpoint) as engine:
        decoded = await run(engine, *jobs)
    assert [one.completion_tokens for one in decoded] == list(lengths)
    assert {one.finish_reason for one in decoded} == {"length"}
    assert all(one.started_at <= (one.first_token_at or 0) <= one.ended_at for one in decoded)


@KINDS
async def test_an_end_of_turn_token_ends_the_answer(
    host_engine: HostEngine, tiny_checkpoint: Path, kind: EngineKind
) -> None:
    jobs = [
        job_of(tiny_checkpoint, max_tokens=200, temperature=1.5, seed=seed) for seed in range(6)
    ]
    async with host_engine(kind, tiny_checkpoint) as engine:
        decoded = await run(engine, *jobs)
    ended = [one for one in decoded if one.finish_reason == "stop"]
    assert ended
    assert all(one.completion_tokens < 200 for one in ended)


@KINDS
async def test_what_does_not_fit_the_context_is_refused_and_the_rest_is_clipped(
    host_engine: HostEngine, tiny_checkpoint: Path, kind: EngineKind
) -> None:
    async with host_engine(kind, tiny_checkpoint) as engine:
        assert engine.context_tokens == CONTEXT_TOKENS
        with pytest.raises(InvalidInput) as caught:
            await run(engine, job_of(tiny_checkpoint, prompt="the lazy dog " * 500))
        assert caught.value.limit == CONTEXT_TOKENS
        (decoded,) = await run(engine, job_of(tiny_checkpoint, max_tokens=30_000, temperature=0.0))
        assert decoded.prompt_tokens + decoded.completion_tokens <= CONTEXT_TOKENS


@KINDS
async def test_cancelling_keeps_what_was_said_and_tells_when_the_slot_was_free(
    host_engine: HostEngine, endless_checkpoint: Path, kind: EngineKind
) -> None:
    async with host_engine(kind, endless_checkpoint) as engine:
        decoded, heard = await cancel_at(engine, job_of(endless_checkpoint, max_tokens=8000), 3)
        assert decoded.finish_reason == "cancelled"
        assert decoded.output == heard
        assert decoded.completion_tokens < 50
        assert decoded.cancel_time_ms is not None
        assert decoded.cancel_time_ms > 0.0
        (after,) = await run(engine, job_of(endless_checkpoint, max_tokens=2))
        assert after.completion_tokens == 2


@KINDS
async def test_a_wish_that_came_before_the_start_decodes_nothing(
    host_engine: HostEngine, endless_checkpoint: Path, kind: EngineKind
) -> None:
    cancel = Cancellation()
    cancel.cancel()
    async with host_engine(kind, endless_checkpoint) as engine:
        decoded = await engine.generate(
            job_of(endless_checkpoint, max_tokens=8000), on_text=None, cancel=cancel
        )
    assert (decoded.output, decoded.finish_reason) == ("", "cancelled")
    assert decoded.completion_tokens == 0


@KINDS
async def test_cancelling_the_task_raises_once_the_slot_is_free(
    host_engine: HostEngine, endless_checkpoint: Path, kind: EngineKind
) -> None:
    async with host_engine(kind, endless_checkpoint) as engine:
        started = asyncio.Event()
        task = asyncio.create_task(
            engine.generate(
                job_of(endless_checkpoint, max_tokens=8000),
                on_text=lambda _: started.set(),
                cancel=Cancellation(),
            )
        )
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (after,) = await run(engine, job_of(endless_checkpoint, max_tokens=2))
        assert after.completion_tokens == 2


@KINDS
async def test_a_closed_engine_takes_no_job(
    host_engine: HostEngine, tiny_checkpoint: Path, kind: EngineKind
) -> None:
    async with host_engine(kind, tiny_checkpoint) as engine:
        assert engine.is_alive
        await engine.close()
        assert not engine.is_alive
        with pytest.raises(ProviderFailed) as caught:
            await run(engine, job_of(tiny_checkpoint, max_tokens=2))
        assert caught.value.retryable


@KINDS
async def test_a_model_says_what_it_holds(
    host_engine: HostEngine, tiny_checkpoint: Path, kind: EngineKind
) -> None:
    weights = (tiny_checkpoint / "model.safetensors").stat().st_size
    async with host_engine(kind, tiny_checkpoint) as engine:
        assert engine.slots == (8 if kind is BatchEngine else 1)
        assert engine.size_bytes > 0.9 * weights
        assert 4 * engine.num_parameters <= weights * 1.1
