"""How far a client has read a run, as the text it may come back with."""

import re
from dataclasses import dataclass

from contracts.errors import InvalidInput

# RUNS counts in 64 bits, attempts and characters stay far below.
_CURSOR = re.compile(r"([0-9]{1,19})(?:\.([1-9][0-9]{0,6})\.([0-9]{1,10}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RunCursor:
    """Everything up to event ``sequence`` was read, and of the attempt after it so much text.

    ``offset`` counts the characters (Unicode code points) of attempt ``attempt``.
    """

    sequence: int = 0
    attempt: int = 0
    offset: int = 0

    def __str__(self) -> str:
        if self.offset:
            return f"{self.sequence}.{self.attempt}.{self.offset}"
        return str(self.sequence)

    @classmethod
    def parse(cls, text: str) -> "RunCursor":
        """The cursor that reads as ``text``.

        Raises: InvalidInput for what no cursor reads as.
        """
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise InvalidInput(
                field="after",
                reason="is not a cursor",
                cure="give back one as it came, or leave it out to begin at the beginning",
            )
        sequence, attempt, offset = found.groups(default="0")
        return cls(int(sequence), int(attempt), int(offset))
