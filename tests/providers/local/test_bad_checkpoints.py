import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from contracts.errors import ModelLoadFailed, UnknownModel
from contracts.generation import GenerationRequest
from tests.providers.conftest import BuildGateway


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint to damage, beside a whole one."""
    (tmp_path / "whole").symlink_to(tiny_checkpoint)
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "damaged"))


async def refusal(build_gateway: BuildGateway, folder: Path) -> ModelLoadFailed:
    """The error of a request for the model in ``folder``, on a host that serves another model."""
    gateway = build_gateway(damaged=folder, whole=folder.with_name("whole"))
    other = GenerationRequest(model="whole", prompt="hello", max_tokens=2)
    before = await gateway.generate(other)
    with pytest.raises(ModelLoadFailed) as caught:
        await gateway.generate(GenerationRequest(model="damaged", prompt="hello"))
    assert str(folder) not in str(caught.value)
    assert caught.value.cure
    report = next(one for one in gateway.models() if one.model == "damaged")
    assert not report.resident
    assert report.loading is None
    after = await gateway.generate(other)
    assert (after.output, after.cache_hit) == (before.output, True)
    await gateway.close()
    return caught.value


async def test_cut_off_weights_are_refused(build_gateway: BuildGateway, folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "cut off" in str(await refusal(build_gateway, folder))


async def test_weights_cut_off_within_the_header_are_refused(
    build_gateway: BuildGateway, folder: Path
) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    assert "within its header" in str(await refusal(build_gateway, folder))


async def test_weights_that_are_something_else_are_refused(
    build_gateway: BuildGateway, folder: Path
) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    assert "not a safetensors file" in str(await refusal(build_gateway, folder))


async def test_a_corrupt_header_is_refused(build_gateway: BuildGateway, folder: Path) -> None:
    header = b'{"weight": {"dtype": "F32"}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert "corrupt header" in str(await refusal(build_gateway, folder))


async def test_pickled_weights_are_refused(build_gateway: BuildGateway, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "safetensors only" in str(await refusal(build_gateway, folder))


async def test_missing_weights_are_refused(build_gateway: BuildGateway, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "model.safetensors is missing" in str(await refusal(build_gateway, folder))


async def test_a_missing_shard_is_refused(build_gateway: BuildGateway, folder: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "../../model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00001-of-00002.safetensors" in str(await refusal(build_gateway, folder))


async def test_weights_that_lack_a_tensor_are_refused(
    build_gateway: BuildGateway, folder: Path
) -> None:
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    error = await refusal(build_gateway, folder)
    assert "model.layers.1.mlp.up_proj.weight" in str(error)


async def test_a_missing_tokenizer_is_refused(build_gateway: BuildGateway, folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer" in str(await refusal(build_gateway, folder))


async def test_a_corrupt_tokenizer_is_refused(build_gateway: BuildGateway, folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    await refusal(build_gateway, folder)


async def test_a_missing_config_is_refused(build_gateway: BuildGateway, folder: Path) -> None:
    (folder / "config.json").unlink()
    assert "config.json" in str(await refusal(build_gateway, folder))


async def test_a_config_that_does_not_fit_the_weights_is_refused(
    build_gateway: BuildGateway, folder: Path
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 128}))
    assert "other shapes" in str(await refusal(build_gateway, folder))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", -1),
        ("hidden_size", 10**12),
        ("vocab_size", 10**12),
        ("vocab_size", "many"),
        ("max_position_embeddings", 10**15),
        ("intermediate_size", 10**12),
        ("num_attention_heads", 10**9),
        ("num_attention_heads", 0),
        ("num_key_value_heads", 10**9),
        ("head_dim", 10**12),
        ("head_dim", -4),
        ("num_local_experts", 10**9),
    ],
)
async def test_absurd_sizes_are_refused_before_anything_is_built(
    build_gateway: BuildGateway, folder: Path, field: str, value: object
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, field: value}))
    assert field in str(await refusal(build_gateway, folder))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sliding_window", -5),
        ("hidden_act", "nosuch"),
        ("model_type", "nosuch"),
        ("rms_norm_eps", "small"),
        ("dtype", "float13"),
    ],
)
async def test_a_config_that_makes_no_sense_is_refused(
    build_gateway: BuildGateway, folder: Path, field: str, value: object
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, field: value}))
    await refusal(build_gateway, folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
async def test_a_config_that_is_no_object_is_refused(
    build_gateway: BuildGateway, folder: Path, text: str
) -> None:
    (folder / "config.json").write_text(text)
    await refusal(build_gateway, folder)


async def test_a_checkpoint_with_code_of_its_own_is_refused(
    build_gateway: BuildGateway, folder: Path
) -> None:
    config = json.loads((folder / "config.json").read_text())
    evil = {
        **config,
        "model_type": "evil",
        "auto_map": {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"},
    }
    (folder / "config.json").write_text(json.dumps(evil))
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    await refusal(build_gateway, folder)
    assert not (folder / "ran").exists()


async def test_a_missing_folder_is_refused(build_gateway: BuildGateway, folder: Path) -> None:
    error = await refusal(build_gateway, folder.with_name("nowhere"))
    assert "does not exist" in str(error)


async def test_a_failed_load_is_tried_again(build_gateway: BuildGateway, folder: Path) -> None:
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1000])
    gateway = build_gateway(damaged=folder)
    request = GenerationRequest(model="damaged", prompt="hello", max_tokens=2)
    with pytest.raises(ModelLoadFailed):
        await gateway.generate(request)
    weights.write_bytes(whole)
    assert (await gateway.generate(request)).usage.completion_tokens > 0
    await gateway.close()


@pytest.mark.parametrize(
    "key", ["{folder}", "../damaged", "whole/../damaged", "./damaged", "~/damaged", "damaged "]
)
async def test_a_path_is_no_model_though_there_is_a_checkpoint(
    build_gateway: BuildGateway, folder: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    gateway = build_gateway(damaged=folder)
    with pytest.raises(UnknownModel) as caught:
        await gateway.generate(
            GenerationRequest(model=key.format(folder=folder), prompt="hello", max_tokens=2)
        )
    assert caught.value.cure
    answer = await gateway.generate(
        GenerationRequest(model="damaged", prompt="hello", max_tokens=2)
    )
    assert answer.usage.completion_tokens > 0
    await gateway.close()
