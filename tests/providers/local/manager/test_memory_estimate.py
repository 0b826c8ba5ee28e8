import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from providers.local.manager.kv_shape import KvShape
from providers.local.manager.memory_estimate import MemoryEstimate, estimate_memory
from providers.local.manager.meta_estimate import estimate_from_config
from providers.registries.model_entry import Dtype, ModelEntry
from providers.registries.strategy_registry import Strategy

STANDARD = Strategy(key="standard", promise="as it is")
FAST = Strategy(key="optimized", promise="fast", dtype="fast")
QWEN = {
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size": 1024,
    "sliding_window": None,
    "use_sliding_window": False,
}


def entry(folder: Path, dtype: Dtype = "auto") -> ModelEntry:
    return ModelEntry(key="tiny", source=str(folder), dtype=dtype)


def test_weights_are_those_that_torch_then_holds(tiny_checkpoint: Path) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        name: Dtype = "float32" if dtype is torch.float32 else "bfloat16"
        estimate = estimate_memory(entry(tiny_checkpoint, name), STANDARD, on_gpu=False)
        model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=dtype)
        held = sum(weight.numel() * weight.element_size() for weight in model.parameters())
        assert estimate.weights_bytes == held


def test_a_fast_strategy_halves_the_weights_on_a_gpu(tiny_checkpoint: Path) -> None:
    whole = estimate_memory(entry(tiny_checkpoint), FAST, on_gpu=False)
    half = estimate_memory(entry(tiny_checkpoint), FAST, on_gpu=True)
    assert whole.weights_bytes == 2 * half.weights_bytes


def test_the_kv_cache_is_that_which_transformers_then_allocates(tiny_checkpoint: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    with torch.inference_mode():
        cache = model(torch.zeros((1, 50), dtype=torch.long), use_cache=True).past_key_values
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    estimate = estimate_memory(entry(tiny_checkpoint), STANDARD, on_gpu=False)
    assert estimate.demand(50).kv_bytes == held


def test_without_weights_the_config_tells_the_same(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny_checkpoint / "config.json").read_bytes())
    known = estimate_memory(entry(tiny_checkpoint), STANDARD, on_gpu=False)
    told = estimate_from_config(entry(tmp_path))
    assert told.weights_bytes == known.weights_bytes
    assert told.kv == known.kv
    assert told.demand(100) == known.demand(100)


def test_without_any_file_the_registry_tells(tmp_path: Path) -> None:
    far = ModelEntry(key="far", source="a/b", num_parameters=1000, dtype="bfloat16")
    assert estimate_memory(far, STANDARD, on_gpu=False).weights_bytes == 2000
    nothing = ModelEntry(key="far", source=str(tmp_path / "none"))
    assert estimate_memory(nothing, STANDARD, on_gpu=False).weights_bytes == 0


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_damaged_files_are_no_error_of_the_estimate(
    tiny_checkpoint: Path, tmp_path: Path, name: str
) -> None:
    for path in tiny_checkpoint.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes(b"{")
    assert estimate_memory(entry(tmp_path), STANDARD, on_gpu=False).weights_bytes >= 0


def test_grouped_heads_and_sliding_windows_make_the_cache_smaller() -> None:
    full = KvShape.from_config(QWEN)
    assert full == KvShape(28, 0, 0, 2 * 8 * 128)
    assert full.size_bytes(1000, 4096, 2) == 28 * 1000 * 2048 * 2
    types = ["full_attention", *["sliding_attention"] * 3] * 7
    mixed = KvShape.from_config({**QWEN, "sliding_window": 100, "layer_types": types})
    assert mixed == KvShape(7, 21, 100, 2048)
    assert mixed.size_bytes(1000, 500, 2) == (7 * 1000 + 21 * 200) * 2048 * 2
    assert KvShape.from_config({"text_config": QWEN}) == full
    assert KvShape.from_config({"n_layer": 2, "n_head": 4, "n_embd": 64}) == KvShape(2, 0, 0, 128)
    assert KvShape.from_config({"model_type": "other"}) is None


@given(st.integers(1, 1 << 36), st.integers(16, 200_000), st.none() | st.integers(1, 100_000))
def test_a_smaller_cache_is_offered_until_it_is_of_no_use(
    budget: int, context: int, max_kv_tokens: int | None
) -> None:
    estimate = MemoryEstimate(
        weights_bytes=100, kv=KvShape.from_config(QWEN), context_tokens=context
    )
    sizes = [demand.kv_bytes for demand in estimate.demands(budget, max_kv_tokens)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == estimate.demand(min(512, context)).kv_bytes
    if max_kv_tokens is None:
        assert all(size * 8 <= budget for size in sizes[:-1])
    else:
        assert sizes[0] <= max(estimate.demand(max_kv_tokens).kv_bytes, sizes[-1])


def test_an_estimate_imports_no_torch(tiny_checkpoint: Path) -> None:
    script = (
        "import json, sys\n"
        "from providers.local.manager.memory_estimate import estimate_memory\n"
        "from providers.registries.model_entry import ModelEntry\n"
        "from providers.registries.strategy_registry import Strategy\n"
        f"entry = ModelEntry(key='t', source={str(tiny_checkpoint)!r})\n"
        "found = estimate_memory(entry, Strategy(key='s', promise='p'), on_gpu=False)\n"
        "print(json.dumps([found.weights_bytes, 'torch' in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    weights_bytes, has_torch = json.loads(done.stdout)
    assert weights_bytes > 0
    assert not has_torch
