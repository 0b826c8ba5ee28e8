"""The architectures of the built-in hub models, tiny and random, against a plain ``generate``."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from contracts.generation import GenerationRequest
from tests.providers.conftest import BuildGateway

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
NUM_TOKENS = 48


@pytest.mark.parametrize(
    ("model_type", "fields"),
    [
        ("llama", {}),
        ("qwen3", {}),
        ("smollm3", {"no_rope_layers": [1, 1, 1, 0]}),
        # The window is shorter than what is generated, so that the cache must slide.
        ("gemma3_text", {"sliding_window": 16, "sliding_window_pattern": 2}),
    ],
)
async def test_greedy_tokens_are_those_of_a_plain_generate(
    build_gateway: BuildGateway,
    endless_checkpoint: Path,
    tmp_path: Path,
    model_type: str,
    fields: dict[str, Any],
) -> None:
    folder = Path(shutil.copytree(endless_checkpoint, tmp_path / "checkpoint"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, vocab_size=len(tokenizer), **SIZES, **fields)
    model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    ids = tokenizer("<|user|>the lazy dog<|assistant|>", return_tensors="pt")
    with torch.inference_mode():
        tokens = model.eval().generate(**ids, max_new_tokens=NUM_TOKENS, do_sample=False)
    new = tokens[0, ids["input_ids"].shape[1] :]
    expected = str(tokenizer.decode(new, skip_special_tokens=True))
    assert len(set(new.tolist())) > 5

    gateway = build_gateway(model=folder)
    request = GenerationRequest(model="model", prompt="the lazy dog", max_tokens=NUM_TOKENS)
    result = await gateway.generate(request)
    assert result.output == expected.rstrip("\ufffd")
    assert result.usage.completion_tokens == NUM_TOKENS
    await gateway.close()
