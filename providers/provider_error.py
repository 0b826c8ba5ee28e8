"""How a provider fails that asks a server of somebody's."""

from contracts.errors import ProviderFailed


class ProviderRefused(ProviderFailed):
    """The server answered, and will answer the same again: key, model or address are wrong."""

    code = "provider_refused"
    retryable = False


class ProviderCooling(ProviderFailed):
    """The server failed so often of late that it is not asked for another ``limit`` seconds."""

    code = "provider_cooling"
    status = 503

    def __init__(self, *, provider: str, reason: str, left_s: float) -> None:
        super().__init__(
            provider=provider,
            reason=f"{reason}; it is asked again in {left_s:.1f} s",
            cure="wait, or name fallbacks in the model's entry",
        )
        self.limit = left_s


class AnswerBrokeOff(ProviderFailed):
    """The answer ended before its end. What was said cannot be taken back, so nobody goes on."""

    code = "answer_broke_off"
