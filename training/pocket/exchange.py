"""One question with its answer, and how a bare phrasing becomes a prompt."""

import random
from dataclasses import dataclass, replace

from training.pocket.noise import disturb, with_stray_words
from training.pocket.phrasing import Language, Split, expand
from training.pocket.words import made_up
from training.pocket.world import World

_BRITISH = 0.3
_STRAY = 0.15
_QUOTES = ['"{}"', "'{}'", "“{}”", "«{}»", "`{}`"]


@dataclass(frozen=True)
class Exchange:
    """What a user says, what the model is to answer, and in which other language it could.

    ``translated`` is the answer in the other language, where the skill has one. ``is_spelled``
    asks the encoder to write the answer letter by letter, ``is_copied`` to spell in it the words
    that it spells in the prompt.
    """

    skill: str
    language: Language
    prompt: str
    answer: str
    translated: str | None = None
    is_spelled: bool = False
    is_copied: bool = False

    def with_answer(self, answer: str) -> "Exchange":
        """The same question with another answer."""
        return replace(self, answer=answer)


def quoted(word: str, rng: random.Random, share: float = 0.4) -> str:
    """The word, sometimes in one of the usual quotation marks."""
    return rng.choice(_QUOTES).format(word) if rng.random() < share else word


def contract(text: str, language: Language) -> str:
    """The two contractions of Spanish, *del* and *al*."""
    if language is Language.SPANISH:
        return text.replace(" de el ", " del ").replace(" a el ", " al ")
    return text


def _join(opener: str, core: str, closer: str) -> str:
    if opener:
        core = f"{opener} {core}"
    if closer:
        core = f"{core}{closer}" if closer.startswith(",") else f"{core} {closer}"
    return core


def compose(
    template: str,
    slots: dict[str, str],
    *,
    world: World,
    language: Language,
    split: Split,
    rng: random.Random,
    is_addressed: bool = True,
) -> str:
    """Opener, phrasing and closer, disturbed and filled: a prompt as a person would type it.

    ``is_addressed`` allows openers and closers. Small talk does without: "hello, thanks, bye" has
    no one right answer.
    """
    core = " ".join(expand(template, rng).split())
    if split is Split.TRAIN and rng.random() < _STRAY:
        glue = world.fillers[language]["glue"].train
        strays = [
            made_up(language, rng),
            rng.choice(glue),
            rng.choice(world.fillers[language]["stray"].train),
        ]
        core = with_stray_words(core, rng, strays)
    ends_in_slot = core.endswith(("{sentence}", "{text}"))
    starts_in_slot = core.startswith(("{sentence}", "{text}"))
    if language is Language.ENGLISH and rng.random() < _BRITISH:
        core = core.replace("color", "colour")
    if is_addressed and not starts_in_slot and rng.random() < 0.5:
        opener = world.filler("opener", language, split, rng)
        closer = "" if ends_in_slot else world.filler("closer", language, split, rng)
        core = _join(opener, core, closer)
    if not ends_in_slot and core[-1] not in "?.=":
        mark = rng.choice(["?", "?", "?", "", "", "", ".", ".", "!", " ?"])
        opened = mark == "?" and language is Language.SPANISH and rng.random() < 0.6
        core = ("¿" if opened else "") + core + mark
    if rng.random() < 0.65:
        at = 1 if core.startswith("¿") and len(core) > 1 else 0
        if core[at] != "{":
            core = core[:at] + core[at].upper() + core[at + 1 :]
    text = disturb(core, rng).format(**slots)
    if text[0].islower() and core.startswith("{") and rng.random() < 0.3 and not starts_in_slot:
        text = text[0].upper() + text[1:]
    return contract(text, language)
