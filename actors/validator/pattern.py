"""Regular expressions from strangers, tried only where they cannot run for long.

Python's `re` backtracks, so a schema's `pattern` could hang a worker. The worst number of steps
is bounded from the pattern's text, and a string too long for that bound is taken as matching: a
good answer sent back costs more than a poor one let through.
"""

import re

_MAX_PATTERN_CHARS = 300
# About 20 ms of backtracking in the worst case.
_MAX_STEPS = 200_000
# (a+)+ takes 2^n steps on n characters.
_MAX_CHARS_WHEN_NESTED = 14
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_GROUP_OPENING = re.compile(r"\((?:\?(?:P<\w+>|[:=!]|<[=!]|[aiLmsux-]+:?))?")
_REPEAT = re.compile(r"[*+]|\{\d*,\d*\}")
_REPEATED_GROUP = re.compile(r"\)(?:[*+?]|\{\d*,?\d*\})")
_BACK_REFERENCE = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")


def search(pattern: str, text: str) -> bool:
    """True where `pattern` is found in `text`, or where it would take too long to know.

    `pattern` follows Python's `re`, as in jsonschema; one that does not compile counts as found.
    """
    if len(text) > max_chars(pattern):
        return True
    try:
        return re.search(pattern, text) is not None
    except (re.error, RecursionError, OverflowError):
        return True


def max_chars(pattern: str) -> int:
    """The longest text on which `pattern` is sure to end soon; 0 where none is."""
    if len(pattern) > _MAX_PATTERN_CHARS or _BACK_REFERENCE.search(pattern):
        return 0
    flat = _CLASS.sub("a", _ESCAPE.sub("a", pattern))
    flat = _GROUP_OPENING.sub("(", flat)
    num_repeats = len(_REPEAT.findall(flat))
    num_choices = flat.count("|") + flat.count("?")
    nested = _is_nested(flat)
    if nested and (num_choices > 1 or num_repeats > 3):  # noqa: PLR2004
        return 0
    steps = _MAX_STEPS >> min(num_choices, 30)
    # An unanchored search starts once at every character.
    num_loops = num_repeats + (0 if flat.startswith("^") else 1)
    longest = steps if num_loops == 0 else int(steps ** (1 / num_loops))
    return min(longest, _MAX_CHARS_WHEN_NESTED) if nested else longest


def _is_nested(flat: str) -> bool:
    """True where a repeated group holds something that can vary in length."""
    for found in _REPEATED_GROUP.finditer(flat):
        depth = 0
        for position in range(found.start(), -1, -1):
            depth += (flat[position] == ")") - (flat[position] == "(")
            if depth == 0:
                break
        inside = flat[position : found.start()]
        if _REPEAT.search(inside) or "|" in inside or "?" in inside or "(" in inside[1:]:
            return True
    return False
