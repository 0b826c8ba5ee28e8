"""The coordinator: leads runs through the actors with a LangGraph graph."""

from actors.coordinator.coordinator import Coordinator

__all__ = ["Coordinator"]
