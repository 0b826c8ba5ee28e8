"""Bracket balance for languages without a parser at hand."""

import re

_CLOSING = {")": "(", "]": "[", "}": "{"}
# Comments and literals whose brackets do not count. A lone apostrophe is left alone: Rust
# lifetimes, JSX text and contractions in comments have them.
_HIDDEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`",
    re.DOTALL,
)
_REGEX_LITERAL = re.compile(r"([=(,:]\s*)/(?![*/])(?:\\.|\[[^\]\n]*\]|[^/\\\n\[])+/[gimsuy]*")
_MAX_CHARS = 24_000


def find_imbalance(code: str, language: str) -> str | None:
    """Why the brackets of `code` do not match, in one sentence; None where they do.

    Both a count that skips strings and comments and a raw count must disagree with balance, so
    that a literal read wrongly is never enough.
    """
    if len(code) > _MAX_CHARS:
        return None
    bare = _REGEX_LITERAL.sub(r"\1 ", code) if language.startswith(("j", "t")) else code
    bare = _HIDDEN.sub(" ", bare)
    detail = _first_mismatch(bare)
    if detail and _raw_counts_differ(code):
        return f"The code does not parse: {detail}."
    return None


def _first_mismatch(code: str) -> str | None:
    stack: list[str] = []
    for char in code:
        if char in "([{":
            stack.append(char)
        elif char in _CLOSING and (not stack or stack.pop() != _CLOSING[char]):
            return f"{char!r} closes nothing"
    return f"{stack[-1]!r} is never closed" if stack else None


def _raw_counts_differ(code: str) -> bool:
    return any(code.count(opening) != code.count(closing) for closing, opening in _CLOSING.items())
