"""Sentences to take something out of, and texts to summarize."""

import random
from dataclasses import dataclass

from training.pocket.phrasing import Language, Split
from training.pocket.words import date, email, made_up, person, place
from training.pocket.world import World

# Word salad teaches to copy any sentence instead of recalling the trained ones.
_SALAD = 0.85


def _salad(world: World, language: Language, rng: random.Random, *, with_names: bool = True) -> str:
    pools = [
        list(world.dictionary[language.other]),
        list(world.opposites[language]),
        world.fillers[language]["other"].train,
        *([world.names["first"].train] if with_names else []),
    ]
    glue = world.fillers[language]["glue"].train
    words = []
    for _ in range(rng.randint(3, 14)):
        kind = rng.random()
        if kind < 0.4:
            words.append(rng.choice(glue))
        elif kind < 0.7:
            words.append(rng.choice(rng.choice(pools)))
        elif kind < 0.74:
            words.append(str(rng.randint(0, 2100)))
        else:
            words.append(made_up(language, rng))
        if rng.random() < 0.06:
            words[-1] += ","
    text = " ".join(words).rstrip(",")
    return text[0].upper() + text[1:]


def _fact(world: World, language: Language, split: Split, rng: random.Random) -> str:
    if split is Split.TRAIN and rng.random() < _SALAD:
        return _salad(world, language, rng)

    def draw(section: str) -> str:
        return world.filler(section, language, split, rng)

    subject, predicate = draw("subject"), draw("predicate")
    connective, tail = "", ""
    if rng.random() < 0.3:
        connective = draw("connective")
    if rng.random() < 0.3:
        tail = draw("tail")
    if connective:
        subject = connective + " " + subject[0].lower() + subject[1:]
    return " ".join(part for part in (subject, predicate, tail) if part)


def text_to_summarize(
    world: World, language: Language, split: Split, rng: random.Random
) -> tuple[str, str]:
    """A text of two to four sentences, and its first sentence, which is its summary."""
    mark = rng.choice(".....!?") if rng.random() < 0.15 else "."
    first = _fact(world, language, split, rng) + mark
    rest = []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        known = rng.random() < 0.5
        filler = world.filler("sentence", language, split, rng)
        rest.append((filler if known else _fact(world, language, split, rng)) + ".")
    return " ".join([first, *rest]), first


def _around(kind: str, world: World, language: Language, rng: random.Random) -> str:
    """A sentence template around the slot of a kind, with words of no fixed order."""
    before = world.filler("connective", language, Split.TRAIN, rng)
    after = world.filler("predicate", language, Split.TRAIN, rng)
    shape = rng.random()
    if shape < 0.35:
        return " ".join(part for part in (before, f"{{{kind}}}", after) if part)
    words = _salad(world, language, rng, with_names=False).split()
    start = "" if shape < 0.6 else " ".join(words[: rng.randint(1, 5)]) + " "
    end = "" if shape > 0.85 else " " + " ".join(words[-rng.randint(1, 5) :]).lower()
    return f"{start}{{{kind}}}{end}"


@dataclass(frozen=True)
class Extraction:
    """A sentence, and the value that it holds for the kind that is asked."""

    sentence: str
    value: str


def sentence_with(
    kind: str, world: World, language: Language, split: Split, rng: random.Random
) -> Extraction:
    """A sentence that holds a ``name``, a ``date`` or an ``email``, perhaps among others."""
    template = world.filler(f"{kind}_sentence", language, split, rng)
    if split is Split.TRAIN and rng.random() < 0.35:
        template = _around(kind, world, language, rng)
    values = {
        "name": person(world, split, rng),
        "date": date(world, language, rng),
        "email": email(world, split, rng),
        "city": place(world, split, rng),
    }
    text = template.format(**values) + "."
    if rng.random() < 0.15:
        extra = world.filler("sentence", language, split, rng) + "."
        text = f"{extra} {text}" if rng.random() < 0.5 else f"{text} {extra}"
    if rng.random() < 0.15:
        text = text.removesuffix(".")
    if rng.random() < 0.07:
        values[kind], text = values[kind].lower(), text.lower()
    if rng.random() < 0.2:
        text = f'"{text}"'
    return Extraction(text, values[kind])
