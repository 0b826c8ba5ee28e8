"""The provider gateway of one machine, and what that machine says about itself."""

import os
from collections.abc import Iterable
from pathlib import Path

import anyio

from contracts.errors import InvalidInput
from contracts.presence import DeviceReport, HostReport
from promptbus.settings import Settings
from providers.devices import HostReader
from providers.echo_provider import EchoProvider
from providers.local.local_provider import LocalProvider
from providers.local.manager.measured_memory import MeasuredMemory
from providers.memory_budget import choose_budgets, parse_budgets, with_budgets
from providers.openai.openai_provider import OpenAIProvider
from providers.provider_gateway import ProviderGateway
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

MEASURED_NAME = "memory.json"
SPEEDS_NAME = "speeds.json"


def build_gateway(settings: Settings, devices: Iterable[DeviceReport]) -> ProviderGateway:
    """The gateway with every provider there is and the registries of the settings.

    Raises: InvalidInput when the settings give a budget to a device that is not among ``devices``.
    """
    try:
        budgets = choose_budgets(devices, parse_budgets(settings.memory_budget))
    except ValueError as exc:
        raise InvalidInput(field="PROMPTBUS_MEMORY_BUDGET", reason=str(exc)) from exc
    local = LocalProvider(
        budgets=budgets,
        measured=MeasuredMemory(settings.data_dir / MEASURED_NAME, settings.executor_name),
        max_wait_s=settings.max_wait_s,
        kv_tokens=settings.kv_tokens,
        speeds_file=settings.data_dir / SPEEDS_NAME,
        host=settings.executor_name,
    )
    files: tuple[Path, ...] = (settings.models_file,) if settings.models_file else ()
    return ProviderGateway(
        ModelRegistry.from_toml(files),
        StrategyRegistry.from_toml(),
        (EchoProvider(settings.echo_pause_s), local, OpenAIProvider(os.environ.get)),
    )


class ModelHost:
    """This machine as a host of models."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # NVML counts GPUs in the order of the bus; CUDA must, too, or budgets get mixed up.
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        self._reader = HostReader(
            host=settings.executor_name, visible_gpus=os.environ.get("CUDA_VISIBLE_DEVICES")
        )
        self.gateway = build_gateway(settings, self._reader.read().devices)

    async def describe(self) -> HostReport:
        """Devices, memory and models, as the monitor sees them.

        Sizes of devices are what models may use of them, and free is what none has reserved.
        """
        report = await anyio.to_thread.run_sync(self._reader.read, self.gateway.models())
        devices = with_budgets(report.devices, self.gateway.memory())
        return report.model_copy(update={"devices": devices})

    async def close(self) -> None:
        """Free the models and let go of the devices."""
        await self.gateway.close()
        self._reader.close()
