"""The two bases of everything that travels, each with its policy for unknown fields."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """What parts of promptbus say to each other.

    Unknown fields are ignored: an older reader must understand a newer writer, because journals
    outlive releases and actors are updated one by one.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, ser_json_inf_nan="null"
    )

    def encode(self) -> bytes:
        """The JSON that goes onto the bus; fields at None are left out."""
        return self.model_dump_json(exclude_none=True).encode()


class Request(BaseModel):
    """What the outside says to promptbus.

    Unknown fields are refused: a misspelt wish that is silently dropped is worse than an error.
    Types are strict, so that ``"5"`` or ``true`` is never taken for a number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


JsonObject = dict[str, Any]
