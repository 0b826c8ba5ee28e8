"""Which model shall answer, run how, and why; pure."""

from collections.abc import Sequence

from actors.monitor.offer import Offer, offers_of
from actors.monitor.ranking import rank_offers
from actors.monitor.reason import explain, why_none_fits
from contracts.errors import InvalidInput, NoExecutor, UnknownModel, UnknownStrategy
from contracts.event import ResourcesDecided
from contracts.presence import HostReport
from contracts.task import DecideResources


def choose(
    task: DecideResources, hosts: Sequence[HostReport], default_model: str
) -> ResourcesDecided:
    """The model, strategy and host for ``task`` among what ``hosts`` announce.

    What the task names is kept to, even where it must be downloaded or others unloaded first;
    there is no fallback then. Otherwise only models are chosen that are available, take the
    prompt's length and are resident or fit the memory of a device that is free or that idle ones
    hold. ``echo`` is never chosen unless named, a remote model never for a task that is
    ``local_only``. The result does not depend on the order of ``hosts``.

    Raises: UnknownModel, UnknownStrategy; InvalidInput when no model takes a prompt so long, or
    the one named is remote and must not be; NoExecutor (retryable) when no host is present or
    nothing fits now.
    """
    offers = offers_of(hosts)
    if not offers:
        raise NoExecutor()
    if task.model is not None:
        named = _with_strategy(task, _near_enough(task, _named(task.model, offers)))
        best = rank_offers(task, named, default_model)
        best.sort(key=lambda offer: (not offer.model.available, not offer.fits(default_model)))
        return _decision(task, best[0], best[:1])
    ranked = rank_offers(task, _candidates(task, offers, default_model), default_model)
    return _decision(task, ranked[0], ranked)


def _named(model: str, offers: Sequence[Offer]) -> list[Offer]:
    named = [offer for offer in offers if offer.key == model]
    if not named:
        raise UnknownModel(model=model, known=tuple(sorted({offer.key for offer in offers})))
    return named


def _near_enough(task: DecideResources, offers: Sequence[Offer]) -> list[Offer]:
    """Without those that the task's text must not go to."""
    near = [offer for offer in offers if not (task.local_only and offer.is_remote)]
    if near:
        return near
    if task.model is None:
        raise NoExecutor("the prompt is local_only, and every model available here is remote")
    raise InvalidInput(
        field="model",
        reason=f"{task.model} is served remotely, and the prompt is local_only",
        cure="name a local model, or send the prompt without local_only",
    )


def _with_strategy(task: DecideResources, offers: Sequence[Offer]) -> list[Offer]:
    if task.strategy is None:
        return list(offers)
    matching = [offer for offer in offers if task.strategy in offer.model.strategies]
    if not matching:
        known = {strategy for offer in offers for strategy in offer.model.strategies}
        raise UnknownStrategy(strategy=task.strategy, known=tuple(sorted(known)))
    return matching


def _candidates(task: DecideResources, offers: Sequence[Offer], default_model: str) -> list[Offer]:
    usable = [offer for offer in offers if offer.model.available and not offer.is_echo]
    if not usable:
        raise NoExecutor("no executor has a model available besides echo")
    usable = _near_enough(task, usable)
    usable = _with_strategy(task, usable)
    long_enough = [offer for offer in usable if offer.takes(task.num_tokens)]
    if not long_enough:
        longest = max(offer.model.context_tokens or 0 for offer in usable)
        raise InvalidInput(
            field="prompt",
            reason=f"has about {task.num_tokens} tokens; no model here takes more than {longest}",
            limit=longest,
            cure="shorten the prompt, or add a model with a longer context",
        )
    fitting = [offer for offer in long_enough if offer.fits(default_model)]
    if not fitting:
        raise NoExecutor(why_none_fits(long_enough))
    return fitting


def _decision(task: DecideResources, chosen: Offer, ranked: Sequence[Offer]) -> ResourcesDecided:
    model = chosen.model
    others = dict.fromkeys(offer.key for offer in ranked)
    others.pop(chosen.key, None)
    resident_strategy = model.resident_strategy if model.resident else None
    return ResourcesDecided(
        run_id=task.run_id,
        attempt=task.attempt,
        model=chosen.key,
        strategy=task.strategy or resident_strategy or model.default_strategy,
        reason=explain(task, chosen, ranked),
        host=chosen.host.host,
        fallbacks=tuple(others),
    )
