"""Conversations: an optional system message, earlier turns, and the wishes of a retry."""

import json
import random
from dataclasses import dataclass, replace

from training.pocket.exchange import Exchange
from training.pocket.phrasing import Language, Split
from training.pocket.skills import Skills
from training.pocket.world import World

# The share of each skill in training: what must be calculated or copied needs more practice.
_WEIGHTS = {
    "sum": 8.0,
    "difference": 10.0,
    "reverse": 6.0,
    "upper": 8.0,
    "summarize": 14.0,
    "unknown": 8.0,
    "capital": 4.0,
    "opposite": 4.0,
    "to_spanish": 4.0,
    "to_english": 4.0,
    "color": 2.5,
    "code": 2.5,
    "extract_name": 9.0,
    "extract_email": 2.0,
    "identity": 3.0,
    "abilities": 2.0,
    "how_are_you": 2.0,
}

# Skills whose answer may be asked for as {"answer": ...}.
_WRAPPED = {"capital", "color", "opposite", "sum", "difference", "to_spanish", "to_english"}


@dataclass(frozen=True)
class Conversation:
    """An optional system message and at least one exchange; the last one is the question."""

    system: str | None
    exchanges: list[Exchange]

    def messages(self) -> list[dict[str, str]]:
        """Chat messages up to the last question."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for exchange in self.exchanges:
            messages.append({"role": "user", "content": exchange.prompt})
            messages.append({"role": "assistant", "content": exchange.answer})
        return messages[:-1]


class Conversations:
    """Makes conversations out of exchanges."""

    def __init__(self, world: World, skills: Skills) -> None:
        self._world = world
        self._skills = skills
        self._names = skills.names
        self._weights = [_WEIGHTS.get(name, 1.2) for name in self._names]

    def draw(self, split: Split, rng: random.Random) -> Conversation:
        """A conversation whose skills are drawn by their weights."""
        skill = rng.choices(self._names, self._weights)[0]
        return self.about(skill, rng.choice(list(Language)), split, rng)

    def about(
        self, skill: str, language: Language, split: Split, rng: random.Random
    ) -> Conversation:
        """A conversation whose last question is of the given skill, or follows up on it."""
        system = None
        if rng.random() < 0.3:
            spoken = language if rng.random() < 0.7 else Language.ENGLISH
            system = self._world.filler("system", spoken, split, rng)
        exchanges: list[Exchange] = []
        while len(exchanges) < 3 and rng.random() < 0.25:
            earlier = rng.choices(self._names, self._weights)[0]
            spoken = language if rng.random() < 0.8 else language.other
            exchanges.append(self._skills.make(earlier, spoken, split, rng))
        exchange = self._skills.make(skill, language, split, rng)
        if rng.random() < 0.18:
            exchange, system = self._with_wish(exchange, system, split, rng)
        exchanges.append(exchange)
        if rng.random() < 0.25:
            follow_up = self._skills.follow_up(exchange, split, rng)
            exchanges.extend([follow_up] if follow_up else [])
        return Conversation(system, exchanges)

    def _with_wish(
        self, exchange: Exchange, system: str | None, split: Split, rng: random.Random
    ) -> tuple[Exchange, str | None]:
        spoken = exchange.language if rng.random() < 0.7 else exchange.language.other
        kinds = ["retry", "language"]
        if exchange.translated:
            kinds += ["language", "language"]
        if exchange.skill in _WRAPPED or exchange.skill.startswith("extract"):
            kinds += ["retry_json", "retry_json"]
        if exchange.skill == "code":
            kinds += ["retry_code", "retry_code"]
        kind = rng.choice(kinds)
        target = exchange.language
        if kind == "language":
            target = rng.choice(list(Language)) if exchange.translated else exchange.language
            kind = "answer_in_spanish" if target is Language.SPANISH else "answer_in_english"
            if exchange.skill in ("to_spanish", "to_english"):
                kind = "retry"
        wish = self._world.filler(kind, spoken, split, rng)
        exchange = _granted(exchange, kind, target)
        if rng.random() < 0.25:
            return exchange, f"{system} {wish}" if system else wish
        gap = rng.choice(["\n\n", "\n", " ", "\n\n"])
        return replace(exchange, prompt=exchange.prompt + gap + wish), system


def _granted(exchange: Exchange, kind: str, target: Language) -> Exchange:
    if kind == "retry_json" and exchange.skill in _WRAPPED:
        wrapped = json.dumps({"answer": exchange.answer}, ensure_ascii=False)
        return exchange.with_answer(wrapped)
    if target is not exchange.language and exchange.translated:
        return exchange.with_answer(exchange.translated)
    return exchange
