"""The analyzer: tells what kind of prompt it is."""

from actors.analyzer.actor import Analyzer

__all__ = ["Analyzer"]
