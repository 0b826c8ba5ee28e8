"""The coordinator: leads runs through the actors with a LangGraph graph."""

from actors.coordinator.coordinator import Coordinator
from actors.coordinator.wait_reporter import WaitReporter
from bus.wait_facts import WaitFacts

__all__ = ["Coordinator", "WaitFacts", "WaitReporter"]
