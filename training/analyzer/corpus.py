"""The analyzer's training prompts: hand-written lines, filled in and varied.

``prompts/<task type>.<language>.txt`` holds one prompt a line (``\\n`` stands for a line break).
``{text}``, ``{data}``, ``{code}``, ``{short}``, ``{word}``, ``{lang}`` and ``{foreign}`` are filled
from ``material/``. Everything is drawn from one seeded generator, so the corpus is always the same.
"""

import random
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
SEED = 7
NUM_FILLED_VARIANTS = 4
NUM_PLAIN_VARIANTS = 3

_SLOT = re.compile(r"\{(text|data|code|short|word|lang|foreign)\}")
# What may be missing: a person who asks first and pastes later.
_MATERIAL = re.compile(r"\s*\{(?:text|data|code)\}\s*")
_FENCE_TAGS = ("", "python", "js", "sql", "java", "ruby", "bash", "go", "c")
_OTHER = {"en": "es", "es": "en"}
_PREFIXES = {
    "en": "please |can you |could you please |hi, |hello! |hey, |hi there! please |ok, now ",
    "es": "por favor, |hola, |hola! |oye, |buenas, |ok, ahora |por favor |hola, por favor ",
}
_LEADS = {
    "en": "I hope you are doing well. |Hello, I need a hand with something. |I have a task. "
    "|Hi! I hope you can help me. |I'm working on something for school. |Good morning! ",
    "es": "Espero que estés bien. |Hola, necesito que me eches una mano. |Tengo una tarea para ti. "
    "|¡Hola! A ver si me puedes ayudar. |Estoy con un trabajo de clase. |¡Buenos días! ",
}
_SUFFIXES = {
    "en": " please| Thanks!| Thank you in advance.| thx|, please.| Keep it brief.",
    "es": " por favor| ¡Gracias!| Gracias de antemano.| porfa|, por favor.| Sé breve.",
}


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt to learn from; ``source`` is the written line it was made of."""

    prompt: str
    task_type: str
    language: str
    source: str


def read_lines(path: Path) -> list[str]:
    """The lines of a data file, with ``\\n`` turned into line breaks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") for line in lines if line.strip()]


class Corpus:
    """The written prompts and the material to fill them with."""

    def __init__(self, folder: Path = FOLDER, seed: int = SEED) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._material = {
            path.stem: read_lines(path) for path in sorted((folder / "material").glob("*.txt"))
        }

    def written(self) -> list[Example]:
        """Every hand-written line as it stands, slots unfilled."""
        examples = []
        for path in sorted((self._folder / "prompts").glob("*.txt")):
            task_type, _, language = path.stem.partition(".")
            examples += [Example(line, task_type, language, line) for line in read_lines(path)]
        return examples

    def examples(self) -> list[Example]:
        """Every line filled in and varied: case, accents, typing errors, courtesies."""
        return [
            Example(prompt, line.task_type, line.language, line.source)
            for line in self.written()
            for prompt in self._variants(line)
        ]

    def _variants(self, line: Example) -> Iterator[str]:
        num_variants = NUM_FILLED_VARIANTS if _SLOT.search(line.prompt) else NUM_PLAIN_VARIANTS
        for index in range(num_variants):
            template = line.prompt
            if index and line.task_type != "chat":
                template = self._be_courteous(template, line.language)
            filled = self._fill(template, line.language)
            yield self._blur(filled) if index else filled
        bare = _MATERIAL.sub("", line.prompt).strip()
        if bare != line.prompt and len(bare.split()) > 1:
            yield bare

    def _fill(self, template: str, language: str) -> str:
        own = language if self._random.random() > 0.15 else _OTHER[language]

        def choose(match: re.Match[str]) -> str:
            slot = match.group(1)
            source = language if slot == "lang" else own
            options = self._material.get(f"{slot}.{source}") or self._material[slot]
            if slot == "foreign" and self._random.random() < 0.5:
                options = self._material[f"short.{_OTHER[language]}"]
            chosen = self._random.choice(options)
            if slot == "code" and "```" not in chosen and self._random.random() < 0.35:
                tag = self._random.choice(_FENCE_TAGS)
                return f"\n```{tag}\n{chosen}\n```"
            return chosen

        filled = _SLOT.sub(choose, template)
        long_text = "{text}" in template or "{data}" in template
        if long_text and self._random.random() < 0.25:
            filled = filled + " " + self._random.choice(self._material[f"text.{own}"])
        return filled

    def _be_courteous(self, template: str, language: str) -> str:
        draw = self._random.random()
        lowered = template[:1].lower() + template[1:]
        if draw < 0.15:
            return self._random.choice(_PREFIXES[language].split("|")) + lowered
        if draw < 0.25:
            return self._random.choice(_LEADS[language].split("|")) + template
        if draw < 0.35:
            return template + self._random.choice(_SUFFIXES[language].split("|"))
        return template

    def _blur(self, prompt: str) -> str:
        if self._random.random() < 0.3:
            prompt = prompt.lower()
        if self._random.random() < 0.3:
            decomposed = unicodedata.normalize("NFD", prompt)
            prompt = "".join(char for char in decomposed if not unicodedata.combining(char))
        if self._random.random() < 0.25:
            prompt = re.sub(r"[¿?¡!.]+$|^[¿¡]", "", prompt.strip())
        if self._random.random() < 0.2:
            prompt = self._mistype(prompt)
        return prompt

    def _mistype(self, prompt: str) -> str:
        places = [match.start() for match in re.finditer(r"(?<=\w)\w\w(?=\w)", prompt[:60])]
        if not places:
            return prompt
        at = self._random.choice(places)
        if self._random.random() < 0.5:
            return prompt[:at] + prompt[at + 1] + prompt[at] + prompt[at + 2 :]
        return prompt[:at] + prompt[at + 1 :]
