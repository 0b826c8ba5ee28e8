"""One finding about this machine."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

State = Literal["ok", "warning", "broken"]


class Check(BaseModel):
    """One part: what was found, and what a person can do where it is not well.

    ``warning`` means that something is missing which not everybody needs; ``broken`` means that
    promptbus cannot run like this.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    found: str
    cure: str | None = None


def ok(name: str, found: str) -> Check:
    return Check(name=name, state="ok", found=found)


def warning(name: str, found: str, cure: str) -> Check:
    return Check(name=name, state="warning", found=found, cure=cure)


def broken(name: str, found: str, cure: str) -> Check:
    return Check(name=name, state="broken", found=found, cure=cure)
