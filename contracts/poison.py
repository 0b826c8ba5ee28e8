"""What ends the processes that work on it."""

from contracts.errors import PromptbusError


class Poison(PromptbusError):
    """Processes end while they work on it, or it is taken up for ever; nobody does any more."""

    code = "poison"
    status = 422

    def __init__(self, *, what: str, num_deaths: int, num_tries: int) -> None:
        super().__init__(
            f"gave up on {what}: it was taken up {num_tries} times, and {num_deaths} processes "
            "ended meanwhile without a word",
            cure="read the logs of those processes; then try it again: promptbus dead list",
        )
        self.num_deaths = num_deaths
