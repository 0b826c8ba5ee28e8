"""In which order models are preferred for a task; pure."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from actors.monitor.offer import Offer, needed_bytes, roomiest
from contracts.task import DecideResources

# How much more able than all that are ready a model must be, to be worth its load. Ten points of
# rank are one doubling of what a model can be trusted with (see the model registry): a hard
# prompt is worth a load for one doubling, an easy one only when a toy would answer it otherwise.
WORTH_LOADING: Final[dict[str, int]] = {"low": 40, "medium": 20, "high": 10}

Order: TypeAlias = tuple[bool, int, int, bool, int, float, int, str, str]


def rank_offers(task: DecideResources, offers: Sequence[Offer], default_model: str) -> list[Offer]:
    """``offers`` with the best first; the same for any order of the same offers.

    1. models that say they are good at the task type;
    2. those ready (resident, or the operator's default) and those worth loading, then those
       that are loading, then the rest;
    3. by rank; then the default model, the smaller one, the less busy host, the roomier one.
    """
    best_ready = _best_ready(task, offers, default_model)

    def order(offer: Offer) -> Order:
        good = is_good_at(offer, task)
        readiness = _readiness(task, offer, default_model)
        if offer.model.rank >= best_ready[good] + margin(task, good=good):
            readiness = 0
        free = roomiest(offer.host.devices)
        return (
            not good,
            readiness,
            -offer.model.rank,
            offer.key != default_model,
            needed_bytes(offer.model) or 0,
            offer.host.cpu_percent,
            -free.free_bytes if free else 0,
            offer.key,
            offer.host.host,
        )

    return sorted(offers, key=order)


def is_good_at(offer: Offer, task: DecideResources) -> bool:
    """Whether the model says so itself."""
    return task.task_type.value in offer.model.good_at


def margin(task: DecideResources, *, good: bool) -> int:
    """Points of rank that make a load worthwhile; where no model is good, one doubling is."""
    return WORTH_LOADING.get(task.difficulty, WORTH_LOADING["medium"]) if good else 10


def _best_ready(
    task: DecideResources, offers: Sequence[Offer], default_model: str
) -> dict[bool, float]:
    best = {True: float("inf"), False: float("inf")}
    for good in best:
        ranks = [
            offer.model.rank
            for offer in offers
            if is_good_at(offer, task) is good and _readiness(task, offer, default_model) == 0
        ]
        best[good] = max(ranks, default=float("inf"))
    return best


def _readiness(task: DecideResources, offer: Offer, default_model: str) -> int:
    if offer.is_resident(task.strategy) or offer.key == default_model:
        return 0
    return 1 if offer.is_held else 2
