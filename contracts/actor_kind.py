"""The kinds of actor, which are also the nodes of a run's graph."""

from enum import StrEnum


class ActorKind(StrEnum):
    """Who does one thing; a step's node has the name of the actor that does it."""

    ANALYZER = "analyzer"
    HISTORY = "history"
    MONITOR = "monitor"
    EXECUTOR = "executor"
    VALIDATOR = "validator"
    SUMMARIZER = "summarizer"
    COORDINATOR = "coordinator"
