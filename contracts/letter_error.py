"""What can be wrong with a wish about a dead letter."""

from contracts.errors import PromptbusError


class UnknownLetter(PromptbusError):
    """No dead letter has that id."""

    code = "unknown_letter"
    status = 404

    def __init__(self, letter_id: str) -> None:
        super().__init__(
            f"no dead letter {letter_id[:40]!r}", cure="list those there are: promptbus dead list"
        )


class LetterSettled(PromptbusError):
    """The letter was replayed or dropped; that stands."""

    code = "already_settled"
    status = 409

    def __init__(self, letter_id: int, how: str) -> None:
        super().__init__(f"dead letter {letter_id} was {how} already")
        self.letter_id = letter_id
