import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import ModelLoadFailed, ProviderFailed, UnknownModel
from contracts.generation import GenerationRequest
from providers.cancellation import Cancellation
from providers.echo_provider import EchoProvider
from providers.generation_job import GenerationJob
from providers.local.local_provider import LocalProvider
from providers.provider import Generated, OnText, OnWait
from providers.provider_gateway import ProviderGateway
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry
from tests.providers.conftest import BuildGateway


class Faulty(EchoProvider):
    """A provider whose library fails."""

    async def generate(
        self,
        job: GenerationJob,
        *,
        on_text: OnText | None,
        on_wait: OnWait | None,
        cancel: Cancellation,
    ) -> Generated:
        raise RuntimeError("cannot open /home/ana/secret/weights.bin")


def test_importing_the_gateway_and_the_local_provider_imports_no_torch() -> None:
    code = (
        "import sys, providers.provider_gateway, providers.local.local_provider, providers.devices;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_foreign_error_leaves_as_a_provider_failure_without_paths() -> None:
    gateway = ProviderGateway(ModelRegistry.from_toml(), StrategyRegistry.from_toml(), [Faulty()])
    request = GenerationRequest(model="echo", prompt="hi")
    with pytest.raises(ProviderFailed, match=r"cannot open weights\.bin"):
        await gateway.generate(request)
    with pytest.raises(ProviderFailed, match=r"cannot open weights\.bin"):
        async for _ in gateway.stream(request):
            pass


def test_reports_estimate_the_size_of_what_is_not_resident() -> None:
    gateway = ProviderGateway(
        ModelRegistry.from_toml(), StrategyRegistry.from_toml(), [EchoProvider(), LocalProvider()]
    )
    reports = {report.model: report for report in gateway.models()}
    assert reports["qwen3-0.6b"].size_bytes is not None
    assert reports["qwen3-0.6b"].size_bytes >= 2 * 596_049_920
    assert not reports["qwen3-0.6b"].resident
    assert not reports["qwen3-0.6b"].available
    assert reports["pocket"].available
    assert reports["pocket"].strategies == ("standard", "optimized", "streaming")


async def test_loading_an_unknown_model_is_refused() -> None:
    gateway = ProviderGateway(
        ModelRegistry.from_toml(), StrategyRegistry.from_toml(), [LocalProvider()]
    )
    with pytest.raises(UnknownModel):
        await gateway.load("no-such")
    with pytest.raises(UnknownModel):
        await gateway.unload("no-such")


async def test_the_built_in_model_answers_on_the_way_of_any_other() -> None:
    gateway = ProviderGateway(
        ModelRegistry.from_toml(), StrategyRegistry.from_toml(), [LocalProvider(num_threads=1)]
    )
    result = await gateway.generate(GenerationRequest(prompt="Hello!"))
    assert result.model == "pocket"
    assert result.output
    assert result.finish_reason == "stop"
    await gateway.close()


async def test_the_registry_tells_the_truth_about_the_built_in_model() -> None:
    registry = ModelRegistry.from_toml()
    gateway = ProviderGateway(
        registry, StrategyRegistry.from_toml(), [LocalProvider(num_threads=1)]
    )
    loaded = await gateway.load("pocket")
    entry = registry.get("pocket")
    assert loaded.num_parameters == entry.num_parameters
    assert loaded.context_tokens == entry.context_tokens
    assert loaded.size_bytes is not None
    assert loaded.size_bytes >= 4 * (entry.num_parameters or 0)
    await gateway.close()


async def test_only_as_many_models_stay_resident_as_fit_the_budget(
    build_gateway: BuildGateway, tiny_checkpoint: Path
) -> None:
    folders = dict.fromkeys("abc", tiny_checkpoint)
    size_bytes = build_gateway(budget_bytes=1 << 20, **folders).models()[-1].size_bytes or 0
    gateway = build_gateway(budget_bytes=5 * size_bytes // 2, **folders)
    for key in ("a", "b", "a", "c"):
        await gateway.generate(GenerationRequest(model=key, prompt="hi", max_tokens=1))
    resident = {report.model for report in gateway.models() if report.resident}
    assert resident == {"a", "c", "echo"}
    await gateway.close()


async def test_a_hub_model_that_cannot_be_had_says_how_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    file = tmp_path / "models.toml"
    file.write_text('[models.absent]\nsource = "promptbus-tests/absent"\nrevision = "v1"\n')
    gateway = ProviderGateway(
        ModelRegistry.from_toml([file]), StrategyRegistry.from_toml(), [LocalProvider()]
    )
    with pytest.raises(ModelLoadFailed) as caught:
        await gateway.load("absent")
    assert "hf download promptbus-tests/absent --revision v1" in str(caught.value.cure)
    assert "HF_HUB_OFFLINE" in str(caught.value.cure)
    await gateway.close()
