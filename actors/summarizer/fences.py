"""Prose and code of an answer, told apart by its fences."""

import re
from dataclasses import dataclass

_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]{0,30})")


@dataclass(frozen=True, slots=True)
class Fenced:
    """The inside of one fence and the language that it names, in lower case."""

    language: str
    code: str


@dataclass(frozen=True, slots=True)
class Parts:
    """Text outside of fences, and what the fences hold."""

    prose: str
    fenced: tuple[Fenced, ...]


def split_fences(text: str) -> Parts:
    """The parts of ``text``; a fence that is never closed goes on to the end."""
    prose: list[str] = []
    fenced: list[Fenced] = []
    inside: list[str] | None = None
    closing, language = "", ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if inside is None and found:
            closing, language, inside = found.group(1), found.group(2).lower(), []
        elif inside is not None and found and found.group(1).startswith(closing):
            fenced.append(Fenced(language, "\n".join(inside)))
            inside = None
        elif inside is not None:
            inside.append(line)
        else:
            prose.append(line)
    if inside is not None:
        fenced.append(Fenced(language, "\n".join(inside)))
    return Parts(prose="\n".join(prose), fenced=tuple(fenced))
