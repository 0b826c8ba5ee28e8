"""Title, one line and totals of a finished run."""

from actors.summarizer.summarizer import Summarizer

__all__ = ["Summarizer"]
