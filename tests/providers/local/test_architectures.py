"""The architectures people run, tiny and random, against a plain ``generate``, in both engines."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from providers.cancellation import Cancellation
from providers.local.batch_engine import BatchEngine
from providers.local.serial_engine import SerialEngine
from tests.providers.local.conftest import EngineKind, HostEngine, job_of

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    # Tied, random weights repeat the last token for ever.
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
    "initializer_range": 0.3,
}
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2}
BATCHED: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "smollm3": {"no_rope_layers": [1, 1, 1, 0]},
    # Windows shorter than what is generated, so that the cache must slide.
    "gemma3_text": {"sliding_window": 16, "sliding_window_pattern": 2},
    "mistral": {"sliding_window": 16},
    "phi": {"num_key_value_heads": 4},
    "phi3": {},
    "gpt2": {"num_key_value_heads": 4},
    "gpt_neox": {"num_key_value_heads": 4},
    "mixtral": {**EXPERTS, "sliding_window": None},
    "qwen3_moe": {**EXPERTS, "moe_intermediate_size": 32, "mlp_only_layers": []},
}
SERIAL: dict[str, dict[str, Any]] = {
    "mamba": {"state_size": 8, "expand": 2},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2, "block_multiple_of": 16},
    # Its config says that it has other heads than it has, so that a batched step fails.
    "gpt2": {"num_key_value_heads": 2},
}
PROMPTS = ("the lazy dog", "la capital de España es", "x")
NUM_TOKENS = 40


def save_random_model(folder: Path, model_type: str, fields: dict[str, Any]) -> list[list[int]]:
    """Put a random model of that type into ``folder``; what it says after each of the prompts."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, vocab_size=len(tokenizer), **{**SIZES, **fields})
    model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.float().eval().save_pretrained(folder)
    said = []
    for prompt in PROMPTS:
        ids = tokenizer(f"<|user|>{prompt}<|assistant|>", return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            tokens = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=NUM_TOKENS,
                do_sample=False,
            )
        said.append(tokens[0, ids.shape[1] :].tolist())
    return said


@pytest.fixture
def folder(endless_checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint's folder whose model is to be replaced."""
    return Path(shutil.copytree(endless_checkpoint, tmp_path / "checkpoint"))


async def outputs_of(
    host_engine: HostEngine, kind: EngineKind, folder: Path, kv_bytes: int
) -> list[str]:
    """What the engine, which must be of that kind, says after each of the prompts."""
    async with host_engine(kind, folder, kv_bytes=kv_bytes) as engine:
        slots = asyncio.Semaphore(engine.slots)

        async def run(prompt: str) -> str:
            async with slots:
                job = job_of(folder, prompt=prompt, max_tokens=NUM_TOKENS)
                decoded = await engine.generate(job, on_text=None, cancel=Cancellation())
            assert decoded.completion_tokens == NUM_TOKENS
            # Bytes that are no whole character: how many of them come out is not the point.
            return decoded.output.rstrip("\ufffd")

        return list(await asyncio.gather(*(run(prompt) for prompt in PROMPTS)))


def text_of(folder: Path, said: list[list[int]]) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [str(tokenizer.decode(ids, skip_special_tokens=True)).rstrip("\ufffd") for ids in said]


@pytest.mark.parametrize("model_type", BATCHED)
async def test_batched_greedy_tokens_are_those_of_a_plain_generate(
    host_engine: HostEngine, folder: Path, model_type: str
) -> None:
    said = save_random_model(folder, model_type, BATCHED[model_type])
    assert len(set(said[0])) > 5
    expected = text_of(folder, said)
    assert await outputs_of(host_engine, BatchEngine, folder, 24 << 20) == expected
    assert await outputs_of(host_engine, SerialEngine, folder, 0) == expected


@pytest.mark.parametrize("model_type", SERIAL)
async def test_what_cannot_be_batched_runs_serially_with_the_same_tokens(
    host_engine: HostEngine, folder: Path, model_type: str
) -> None:
    said = save_random_model(folder, model_type, SERIAL[model_type])
    assert len(set(said[0])) > 5
    room_for_a_batch = 24 << 20
    outputs = await outputs_of(host_engine, SerialEngine, folder, room_for_a_batch)
    assert outputs == text_of(folder, said)
