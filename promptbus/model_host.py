"""The provider gateway of one machine, and what that machine says about itself."""

import logging
from pathlib import Path

import anyio

from contracts.errors import PromptbusError
from contracts.presence import HostReport
from promptbus.settings import Settings
from providers.devices import HostReader
from providers.echo_provider import EchoProvider
from providers.local.local_provider import LocalProvider
from providers.provider_gateway import ProviderGateway
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

logger = logging.getLogger(__name__)


def build_gateway(settings: Settings) -> ProviderGateway:
    """The gateway with every provider there is and the registries of the settings."""
    files: tuple[Path, ...] = (settings.models_file,) if settings.models_file else ()
    return ProviderGateway(
        ModelRegistry.from_toml(files),
        StrategyRegistry.from_toml(),
        (EchoProvider(), LocalProvider()),
    )


# Warms the model up; the other strategies with the same weights then find it warm.
WARMED_UP = "streaming"


class ModelHost:
    """This machine as a host of models."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader = HostReader()
        self.gateway = build_gateway(settings)

    async def describe(self) -> HostReport:
        """Devices, memory and models, as the monitor sees them."""
        return await anyio.to_thread.run_sync(self._reader.read, self.gateway.models())

    async def close(self) -> None:
        """Free the models and let go of the devices."""
        await self.gateway.close()
        self._reader.close()

    async def preload(self) -> None:
        """Make the models of the settings resident, so that the first prompt finds them so."""
        for model in self._settings.preload:
            try:
                await self.gateway.load(model, WARMED_UP)
            except PromptbusError as exc:
                logger.error("cannot preload %s: %s (%s)", model, exc, exc.cure)
