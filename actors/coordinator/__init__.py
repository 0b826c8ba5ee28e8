"""The coordinator: leads runs through the actors with a LangGraph graph."""

from actors.coordinator.coordinator import Coordinator
from actors.coordinator.wait_facts import WaitFacts
from actors.coordinator.wait_reporter import WaitReporter

__all__ = ["Coordinator", "WaitFacts", "WaitReporter"]
