"""Which executor holds which model, as monitors decide it and executors obey."""

from datetime import datetime

from contracts.message import Message


class PlacedModel(Message):
    """A model that a host serves; ``pinned`` is never evicted."""

    model: str
    strategy: str
    pinned: bool = False


class HostPlacement(Message):
    """All models of one host, decided together so that its memory is counted once.

    A host pulls work for these models alone. Not all need be resident at once: where their memory
    is less than their sum, the host's scheduler takes turns among them.
    """

    host: str
    models: tuple[PlacedModel, ...] = ()
    decided_by: str = ""
    decided_at: datetime | None = None
    reason: str = ""

    def find(self, model: str) -> PlacedModel | None:
        """The entry of ``model``, if this host holds it."""
        return next((placed for placed in self.models if placed.model == model), None)
