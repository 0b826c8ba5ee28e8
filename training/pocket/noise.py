"""How people really write: no capitals, no accents, no marks, a slip of the finger."""

import random
import re
import unicodedata

_SLOT = re.compile(r"(\{\w+\})")
_MIN_TYPO_LENGTH = 5


def strip_accents(text: str) -> str:
    """Drop accents but keep the letters, ñ included as n."""
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(char for char in decomposed if unicodedata.category(char) != "Mn")


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    kind = rng.random()
    if kind < 0.4:
        return word[:at] + word[at + 1 :]
    if kind < 0.7:
        return word[:at] + word[at] + word[at:]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _typo(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    places = [i for i, word in enumerate(words) if word.isalpha() and len(word) >= _MIN_TYPO_LENGTH]
    if places:
        at = rng.choice(places)
        words[at] = _slip(words[at], rng)
    return " ".join(words)


def _stray(text: str, rng: random.Random, strays: list[str]) -> str:
    """Put a word between two others; next to a slot it would seem to belong to what is asked."""
    words = text.split(" ")
    places = [at for at in range(1, len(words)) if words[at - 1] and words[at]]
    if places:
        words.insert(rng.choice(places), rng.choice(strays))
    return " ".join(words)


def with_stray_words(template: str, rng: random.Random, strays: list[str]) -> str:
    """Put one or two words that mean nothing here between the words of a template.

    A model this small meets many words it has never seen; this teaches it to go by those it knows.
    """
    parts = _SLOT.split(template)
    places = [i for i in range(0, len(parts), 2) if " " in parts[i].strip()]
    for _ in range(rng.choice([1, 1, 2])):
        if places:
            at = rng.choice(places)
            parts[at] = _stray(parts[at], rng, strays)
    return "".join(parts)


def disturb(template: str, rng: random.Random) -> str:
    """Disturb the words of a template and leave its slots alone."""
    lower = rng.random() < 0.35
    plain = rng.random() < 0.25
    typo = rng.random() < 0.06
    parts = _SLOT.split(template)
    for i in range(0, len(parts), 2):
        if plain:
            parts[i] = strip_accents(parts[i])
        if lower:
            parts[i] = parts[i].lower()
        if typo:
            parts[i] = _typo(parts[i], rng)
    return "".join(parts)


def disturb_item(item: str, rng: random.Random) -> str:
    """Disturb a thing that is asked about, such as a country."""
    if rng.random() < 0.25:
        item = item.lower()
    if rng.random() < 0.2:
        item = strip_accents(item)
    if rng.random() < 0.02:
        item = item.upper()
    return item
