"""Memory that runs out for real, in a process whose limit the kernel holds."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts so on Linux")


@pytest.fixture(scope="module")
def acts(
    endless_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What came of each act of the starved host; its KV cache is most of what a model takes."""
    folder = Path(shutil.copytree(endless_checkpoint, tmp_path_factory.mktemp("starved") / "model"))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(AutoTokenizer.from_pretrained(folder)),
        hidden_size=256,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=32_768,
        bos_token_id=None,
        eos_token_id=None,
        initializer_range=0.3,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    command = (sys.executable, "-m", "tests.providers.local.starved_host", str(folder))
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    return {act.pop("act"): act for act in told}


def test_a_load_that_finds_no_memory_evicts_who_is_idle_and_succeeds(
    acts: dict[str, dict[str, Any]],
) -> None:
    assert acts["both"]["resident"] == ["a", "b"]
    assert acts["b in the place of a"] == {"output": acts["both"]["output"], "resident": ["b"]}


def test_a_generation_that_finds_no_memory_evicts_who_is_idle_and_succeeds(
    acts: dict[str, dict[str, Any]],
) -> None:
    assert acts["both again"]["resident"] == ["a", "b"]
    told = acts["a long prompt in the memory of b"]
    assert told["resident"] == ["a"]
    assert told["output"]


def test_where_that_does_not_help_it_is_a_typed_error_and_the_host_serves_on(
    acts: dict[str, dict[str, Any]],
) -> None:
    assert acts["a before hunger"]["resident"] == ["a"]
    told = acts["no room at all"]
    assert told["code"] == "out_of_memory"
    assert "unload others" in told["cure"]
    assert told["resident"] == []
    assert acts["after hunger"] == {"output": acts["both"]["output"], "resident": ["b"]}
