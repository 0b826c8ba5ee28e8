"""The validator: judges whether an output is worth giving to the person."""

from actors.validator.actor import Validator

__all__ = ["Validator"]
