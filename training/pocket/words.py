"""Words, names, dates and addresses made on the spot, so that copying must be learned."""

import random

from training.pocket.phrasing import Language, Split
from training.pocket.world import World

_ONSETS = [
    *"bcdfghjklmnprstvwyz",
    "br",
    "cr",
    "dr",
    "fl",
    "gr",
    "pl",
    "st",
    "tr",
    "ch",
    "sh",
    "th",
    "qu",
]
_VOWELS = [*"aeiouaeiou", "ai", "ea", "io", "ou", "ie", "oo"]
_CODAS = ["", "", "", "n", "r", "s", "l", "t", "m", "nd", "rt", "x", "ck", "d"]
# Half of all names and addresses are invented, so that none can be learned by heart.
_INVENTED = 0.5
_SPANISH_LETTERS = "áéíóúñü"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_IRREGULAR = {"leaf": "leaves", "mouse": "mice"}


def syllables(rng: random.Random, most: int = 3) -> str:
    """A word that sounds possible and means nothing."""
    count = rng.randint(1, most)
    return "".join(
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count)
    )


def letters(rng: random.Random, least: int = 2, most: int = 9) -> str:
    """Letters without any order."""
    return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(least, most)))


def made_up(language: Language, rng: random.Random) -> str:
    """A made-up word of at most ten letters, now and then with a Spanish letter."""
    word = (syllables(rng) if rng.random() < 0.75 else letters(rng))[:10]
    if language is Language.SPANISH and rng.random() < 0.25:
        at = rng.randrange(len(word))
        word = word[:at] + rng.choice(_SPANISH_LETTERS) + word[at + 1 :]
    return word


def gibberish(rng: random.Random) -> str:
    """What a cat on the keyboard writes."""
    return letters(rng, 3, 10) if rng.random() < 0.6 else syllables(rng)


def person(world: World, split: Split, rng: random.Random) -> str:
    """A first name, with a last name or without."""
    first = world.name("first", split, rng)
    if split is Split.TRAIN and rng.random() < _INVENTED:
        first = syllables(rng)[:9].capitalize()
    if rng.random() < 0.6:
        return first
    last = world.name("last", split, rng)
    if split is Split.TRAIN and rng.random() < _INVENTED:
        last = syllables(rng)[:10].capitalize()
    return f"{first} {last}"


def place(world: World, split: Split, rng: random.Random) -> str:
    """A city; half of those to train on are invented, or every unknown word would be a name."""
    if split is Split.TRAIN and rng.random() < _INVENTED:
        return syllables(rng)[:10].capitalize()
    return world.name("city", split, rng)


def date(world: World, language: Language, rng: random.Random) -> str:
    """A date in one of the ways people write it."""
    year = rng.randint(1900, 2049)
    month = rng.randint(1, 12)
    day = rng.randint(1, 28)
    name = world.calendar["month"][month - 1][language]
    numeric = [
        f"{year}-{month:02d}-{day:02d}",
        f"{year}-{month:02d}-{day:02d}",
        f"{day}/{month}/{year}",
        f"{day:02d}/{month:02d}/{year}",
        f"{day}.{month}.{year}",
        f"{day:02d}-{month:02d}-{year}",
    ]
    written = (
        [f"{day} de {name} de {year}", f"{day} de {name}", f"{day} de {name} del {year}"]
        if language is Language.SPANISH
        else [f"{name} {day}, {year}", f"{day} {name} {year}", f"{name} {day}"]
    )
    return rng.choice(numeric if rng.random() < 0.55 else written)


def email(world: World, split: Split, rng: random.Random) -> str:
    """An e-mail address."""

    def part(section: str) -> str:
        if split is Split.TRAIN and rng.random() < _INVENTED:
            return syllables(rng)[:9]
        return world.name(section, split, rng).lower()

    user = part("user") if rng.random() < 0.4 else part("first")
    if rng.random() < 0.4:
        user += rng.choice(["_", ".", "-", ""]) + part("last")
    if rng.random() < 0.3:
        user += str(rng.randint(1, 99))
    domain = part("domain")
    plain = user.translate(str.maketrans("áéíóúñüł", "aeiounul"))
    suffix = world.name("suffix", split, rng)
    if split is Split.TRAIN and rng.random() < _INVENTED:
        suffix = letters(rng, 2, 4)
    return f"{plain}@{domain}.{suffix}"


def plural(thing: str) -> str | None:
    """The plural of ``a thing`` or ``una cosa``; None for what is not counted."""
    article, _, noun = thing.partition(" ")
    if article in ("a", "an"):
        if " " in noun:
            return noun + "s"
        if noun in _IRREGULAR:
            return _IRREGULAR[noun]
        if noun.endswith("y") and noun[-2] not in "aeiou":
            return noun[:-1] + "ies"
        return noun + ("es" if noun.endswith("o") and noun[-2] not in "aeiou" else "s")
    if article in ("un", "una") and " " not in noun:
        articles = "los" if article == "un" else "las"
        if noun[-1] in "aeiouéí":
            return f"{articles} {noun}{'es' if noun.endswith('í') else 's'}"
        stem = noun[:-2] + noun[-2].translate(str.maketrans("áéíóú", "aeiou")) + noun[-1]
        return f"{articles} {stem}es"
    return None
