"""Markdown code fences in an output (CommonMark 0.31, section 4.5)."""

import re
from dataclasses import dataclass

_MARK = re.compile(r"^[ \t>]{0,12}(```+|~~~+)[ \t]*([^`\n]*)$")
_ONE_LINE = re.compile(r"^[ \t]{0,12}```[ \t]*([A-Za-z+#]*)[ \t]+([^`\n]+)```[ \t]*$")
_INLINE_CODE = re.compile(r"`[^`\n]{1,300}`")


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block: its language tag in lower case ("" where none), and its text."""

    tag: str
    code: str
    closed: bool


def split_fences(text: str) -> tuple[tuple[Fence, ...], str]:
    """The fenced blocks of `text`, and `text` without them."""
    if "```" not in text and "~~~" not in text:
        return (), text
    fences: list[Fence] = []
    outside: list[str] = []
    inside: list[str] | None = None
    tag = mark = ""
    for line in text.splitlines():
        if inside is None and (whole := _ONE_LINE.match(line)):
            fences.append(Fence(whole[1].lower(), whole[2].strip(), True))
            continue
        found = _MARK.match(line)
        if inside is None:
            if found:
                inside, mark = [], found[1][:3]
                tag = _first_word(found[2])
            else:
                outside.append(line)
        elif found and found[1].startswith(mark) and not found[2].strip():
            fences.append(Fence(tag, "\n".join(inside), True))
            inside = None
        elif line.rstrip().endswith(mark) and not line.lstrip().startswith(mark):
            # Small models often close a fence at the end of the last line of code.
            fences.append(Fence(tag, "\n".join([*inside, line.rstrip()[:-3]]), True))
            inside = None
        else:
            inside.append(line)
    if inside is not None:
        fences.append(Fence(tag, "\n".join(inside), False))
    return tuple(fences), "\n".join(outside)


def without_inline_code(text: str) -> str:
    """`text` with every `inline code` span blanked."""
    return _INLINE_CODE.sub(" ", text)


def _first_word(info: str) -> str:
    words = info.strip().lower().split()
    return words[0].strip("{}.") if words else ""
