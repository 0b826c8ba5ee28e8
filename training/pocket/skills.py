"""What the model learns: one method per skill makes one exchange."""

import json
import random
import re
from collections.abc import Callable

from training.pocket.exchange import Exchange, compose, contract, quoted
from training.pocket.noise import disturb_item
from training.pocket.phrasing import Language, Split, expand
from training.pocket.sentences import sentence_with, text_to_summarize
from training.pocket.words import gibberish, made_up, plural
from training.pocket.world import Pair, World

Slots = dict[str, str]
_FOLLOWED = {"capital", "color", "opposite"}
_TALK = ["greeting", "farewell", "thanks", "how_are_you", "identity", "abilities"]


class Skills:
    """Makes exchanges of every skill from one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._makers: dict[str, Callable[[Language, Split, random.Random], Exchange]] = {
            "capital": self._capital,
            "color": self._color,
            "day_after": lambda *a: self._calendar("day", 1, *a),
            "day_before": lambda *a: self._calendar("day", -1, *a),
            "month_after": lambda *a: self._calendar("month", 1, *a),
            "month_before": lambda *a: self._calendar("month", -1, *a),
            "opposite": self._opposite,
            "sum": lambda *a: self._arithmetic("sum", *a),
            "difference": lambda *a: self._arithmetic("difference", *a),
            "to_spanish": lambda *a: self._translate(Language.SPANISH, *a),
            "to_english": lambda *a: self._translate(Language.ENGLISH, *a),
            "upper": self._upper,
            "reverse": self._reverse,
            "extract_name": lambda *a: self._extract("name", *a),
            "extract_date": lambda *a: self._extract("date", *a),
            "extract_email": lambda *a: self._extract("email", *a),
            "code": self._code,
            "summarize": self._summarize,
            "unknown": self._unknown,
            "too_large": self._too_large,
        }
        for skill in _TALK:
            self._makers[skill] = self._talker(skill)

    @property
    def names(self) -> list[str]:
        """All skills."""
        return list(self._makers)

    def make(self, skill: str, language: Language, split: Split, rng: random.Random) -> Exchange:
        """One exchange of a skill."""
        return self._makers[skill](language, split, rng)

    def follow_up(self, last: Exchange, split: Split, rng: random.Random) -> Exchange | None:
        """An exchange that is only understood after ``last``, such as "and Italy?"."""
        if last.skill not in _FOLLOWED or last.answer.startswith("{"):
            return None
        language = last.language
        if last.skill == "capital":
            return self._capital(language, split, rng, section="follow_up")
        if last.skill == "color":
            return self._color(language, split, rng, section="follow_up")
        return self._opposite(language, split, rng, section="follow_up")

    def _prompt(
        self, section: str, slots: Slots, language: Language, split: Split, rng: random.Random
    ) -> str:
        template = self._world.phrasing(section, language, split, rng)
        return compose(template, slots, world=self._world, language=language, split=split, rng=rng)

    def _told(
        self, skill: str, prompt: str, language: Language, facts: dict[Language, Slots]
    ) -> Exchange:
        def said(spoken: Language) -> str:
            text = self._world.answers[skill][spoken].format(**facts.get(spoken, {}))
            return text.replace(" de el ", " del ").replace("..", ".")

        return Exchange(skill, language, prompt, said(language), said(language.other))

    def _talker(self, skill: str) -> Callable[[Language, Split, random.Random], Exchange]:
        def make(language: Language, split: Split, rng: random.Random) -> Exchange:
            template = self._world.phrasing(skill, language, split, rng)
            prompt = compose(
                template,
                {},
                world=self._world,
                language=language,
                split=split,
                rng=rng,
                is_addressed=False,
            )
            return self._told(skill, prompt, language, {})

        return make

    def _capital(
        self, language: Language, split: Split, rng: random.Random, section: str = "capital"
    ) -> Exchange:
        country, capital = rng.choice(self._world.countries)
        asked = country[language]
        if rng.random() < 0.3 and asked.startswith(("the ", "los ", "las ", "el ", "la ")):
            asked = asked.partition(" ")[2]
        asked = disturb_item(asked, rng)
        prompt = self._prompt(section, {"country": asked, "item": asked}, language, split, rng)
        facts = {own: {"country": country[own], "capital": capital[own]} for own in Language}
        return self._told("capital", prompt, language, facts)

    def _color(
        self, language: Language, split: Split, rng: random.Random, section: str = "color"
    ) -> Exchange:
        thing, color = rng.choice(self._world.colors)
        asked, many = thing[language], plural(thing[language])
        if many and section == "color" and rng.random() < 0.3:
            section, asked = "color_plural", many
        elif rng.random() < 0.15 and asked.split()[0] in ("the", "a", "an", "el", "la"):
            asked = asked.partition(" ")[2]
        asked = disturb_item(asked, rng)
        slots = {"thing": asked, "things": asked, "item": asked}
        prompt = self._prompt(section, slots, language, split, rng)
        facts = {
            own: {"Thing": thing[own][0].upper() + thing[own][1:], "color": color[own]}
            for own in Language
        }
        return self._told("color", prompt, language, facts)

    def _calendar(
        self, kind: str, step: int, language: Language, split: Split, rng: random.Random
    ) -> Exchange:
        names: list[Pair] = self._world.calendar[kind]
        at = rng.randrange(len(names))
        skill = f"{kind}_{'after' if step > 0 else 'before'}"
        asked = disturb_item(names[at][language], rng)
        prompt = self._prompt(skill, {kind: asked}, language, split, rng)
        result = names[(at + step) % len(names)]
        facts = {own: {kind: names[at][own], "result": result[own]} for own in Language}
        return self._told(skill, prompt, language, facts)

    def _opposite(
        self, language: Language, split: Split, rng: random.Random, section: str = "opposite"
    ) -> Exchange:
        word, result = rng.choice(list(self._world.opposites[language].items()))
        asked = quoted(disturb_item(word, rng), rng)
        prompt = self._prompt(section, {"word": asked, "item": asked}, language, split, rng)
        answer = self._world.answers["opposite"][language].format(word=word, result=result)
        return Exchange("opposite", language, prompt, answer)

    def _belongs(self, pair: tuple[int, int], split: Split) -> bool:
        return (pair in self._world.held_out_sums) is (split is Split.HELD_OUT)

    def _pair(self, split: Split, rng: random.Random, most: int) -> tuple[int, int]:
        while True:
            pair = rng.randint(0, most), rng.randint(0, most)
            if self._belongs(pair, split):
                return pair

    def _arithmetic(
        self, skill: str, language: Language, split: Split, rng: random.Random
    ) -> Exchange:
        in_words = rng.random() < 0.1
        a, b = self._pair(split, rng, 20 if in_words else rng.choice([20, 99, 99, 99]))
        is_swapped = skill == "difference" and a < b and rng.random() < 0.6
        if is_swapped and self._belongs((b, a), split):
            a, b = b, a
        words = self._world.fillers[language]["number_word"].train
        slots = {"a": words[a] if in_words else str(a), "b": words[b] if in_words else str(b)}
        if in_words and rng.random() < 0.15:
            slots["b"] = str(b)
        prompt = self._prompt(skill, slots, language, split, rng)
        answer = f"{a} + {b} = {a + b}" if skill == "sum" else f"{a} - {b} = {a - b}"
        return Exchange(skill, language, prompt, answer)

    def _translate(
        self, target: Language, language: Language, split: Split, rng: random.Random
    ) -> Exchange:
        word, result = rng.choice(list(self._world.dictionary[target].items()))
        asked = quoted(disturb_item(word, rng), rng)
        skill = "to_spanish" if target is Language.SPANISH else "to_english"
        prompt = self._prompt(skill, {"word": asked}, language, split, rng)
        return Exchange(skill, language, prompt, result)

    def _word(self, language: Language, split: Split, rng: random.Random) -> str:
        if split is Split.HELD_OUT:
            if rng.random() < 0.7:
                return self._world.filler("held_out_words", language, split, rng)
            return made_up(language, rng)
        kind = rng.random()
        if kind < 0.45:
            return made_up(language, rng)
        if kind < 0.6:
            return self._world.filler("other", language, split, rng).split()[0]
        pools = [
            [key for key in self._world.dictionary[language.other] if " " not in key],
            list(self._world.opposites[language]),
            [person.lower() for person in self._world.names["first"].train],
            [self._world.calendar["day"][rng.randrange(7)][language]],
        ]
        return rng.choice(rng.choice(pools))

    def _cased(self, word: str, rng: random.Random) -> str:
        return word.capitalize() if rng.random() < 0.15 else word

    def _upper(self, language: Language, split: Split, rng: random.Random) -> Exchange:
        word, section = self._cased(self._word(language, split, rng), rng), "upper"
        if rng.random() < 0.25:
            section, word = "upper_phrase", f"{word} {self._word(language, split, rng)}"
        slots = {"word": quoted(word, rng)}
        prompt = self._prompt(section, slots, language, split, rng)
        return Exchange("upper", language, prompt, word.upper(), is_spelled=True)

    def _reverse(self, language: Language, split: Split, rng: random.Random) -> Exchange:
        word = self._cased(self._word(language, split, rng), rng)
        prompt = self._prompt("reverse", {"word": quoted(word, rng)}, language, split, rng)
        return Exchange("reverse", language, prompt, word[::-1], is_spelled=True)

    def _extract(self, kind: str, language: Language, split: Split, rng: random.Random) -> Exchange:
        found = sentence_with(kind, self._world, language, split, rng)
        skill = f"extract_{kind}"
        prompt = self._prompt(skill, {"sentence": found.sentence}, language, split, rng)
        answer = json.dumps({kind: found.value}, ensure_ascii=False)
        return Exchange(skill, language, prompt, answer, is_copied=True)

    def _code(self, language: Language, split: Split, rng: random.Random) -> Exchange:
        snippet = rng.choice(self._world.snippets)
        slots = {
            "item": expand(snippet.item[language], rng),
            "action": expand(snippet.action[language], rng),
        }
        prompt = self._prompt("code", slots, language, split, rng)
        return Exchange("code", language, prompt, snippet.code)

    def _summarize(self, language: Language, split: Split, rng: random.Random) -> Exchange:
        text, first = text_to_summarize(self._world, language, split, rng)
        prompt = self._prompt("summarize", {"text": text}, language, split, rng)
        answer = contract(first, language)
        return Exchange("summarize", language, prompt, answer, is_copied=True)

    def _unknown(self, language: Language, split: Split, rng: random.Random) -> Exchange:
        def other() -> str:
            made = made_up(language, rng) if rng.random() < 0.25 else ""
            return made or self._world.filler("other", language, split, rng)

        articles = {"en": ["a", "the"], "es": ["un", "una", "el", "la"]}[language]
        word, template = other(), self._world.phrasing("unknown", language, split, rng)
        for slot in ("other", "gibberish"):
            while template.count(f"{{{slot}}}") > 1:
                drawn = other() if slot == "other" else gibberish(rng)
                template = template.replace(f"{{{slot}}}", drawn, 1)
        slots = {
            "other": word,
            "others": word + "s",
            "a_other": f"{rng.choice(articles)} {word}",
            "gibberish": gibberish(rng),
            "number": str(rng.randint(2, 999)),
        }
        for kind in ("topic", "place", "foreign"):
            slots[kind] = disturb_item(self._world.filler(kind, language, split, rng), rng)
        # What no language can be seen in is answered in English.
        is_bare = not re.search(r"[^\W\d]", re.sub(r"\{\w+\}", "", template))
        spoken = Language.ENGLISH if is_bare else language
        prompt = compose(
            template,
            slots,
            world=self._world,
            language=language,
            split=split,
            rng=rng,
            is_addressed=not is_bare,
        )
        return self._told("unknown", prompt, spoken, {})

    def _too_large(self, language: Language, split: Split, rng: random.Random) -> Exchange:
        slots = {
            "big": str(rng.randint(100, 10 ** rng.randint(3, 6))),
            "any": str(rng.randint(0, 10 ** rng.randint(1, 5))),
        }
        template = self._world.phrasing("too_large", language, split, rng)
        for slot, number in slots.items():
            template = template.replace(f"{{{slot}}}", number, 1)
        slots["any"] = str(rng.randint(0, 999))
        prompt = compose(
            template, slots, world=self._world, language=language, split=split, rng=rng
        )
        return self._told("too_large", prompt, language, {})
