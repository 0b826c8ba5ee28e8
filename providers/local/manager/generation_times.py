"""How long generations take, by model: what a wait is estimated from."""

# Weight of the newest one: half of the mean is from the last three.
NEWEST_SHARE = 0.2


class GenerationTimes:
    """A running mean in seconds for each model, the newer the heavier."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}

    def add(self, model: str, duration_s: float) -> None:
        """One generation more."""
        mean = self._means.get(model)
        if mean is None:
            self._means[model] = duration_s
        else:
            self._means[model] = mean + NEWEST_SHARE * (duration_s - mean)

    def mean_s(self, model: str) -> float | None:
        """What one took of late; None before the first."""
        return self._means.get(model)
