"""Code that does not parse: Python by its own parser, other languages by their brackets."""

import ast
import re
import textwrap
import warnings

from actors.validator.bracket import find_imbalance
from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.folding import fold
from actors.validator.intent import BROKEN_CODE, PYTHON

# Parsing takes about 1 ms for 2,000 characters.
_MAX_PARSED_CHARS = 24_000
_PYTHON_TAGS = frozenset({"python", "py", "python3", "py3"})
_BALANCED_TAGS = frozenset(
    {"javascript", "js", "typescript", "ts", "java", "c", "cpp", "c++", "csharp", "cs", "c#", "go",
     "golang", "rust", "rs", "kotlin", "swift", "php", "scala", "dart", "json", "css"}
)  # fmt: skip
_STARTER = re.compile(
    r"^(?:(?:async )?def\b|class \w|import \w|from [\w.]+ import|for .+ in |while .*:|if .*:|try:|"
    r"with .+:|print\s*\(|@\w|[a-z_]\w*(?:\[[^\]]*\])? ?[-+*/|&]?= ?\S|return\b|>>> )"
)
_CONTINUATION = re.compile(r"^(?:\s|[)\]}]|#|else\b|elif\b|except\b|finally\b|$|[\w.]+\(.*\)?$)")
_SHELL = re.compile(
    r"^\s*(?:[$%!]\s?\w|(?:sudo |python3? -m )?pip3? install|conda |apt|python3? [\w.-]+|cd |%%)"
)
_OLD_PYTHON = re.compile(r"python ?2(\.\d)?\b")
_IPYTHON = re.compile(r"^In \[\d*\]: ?|^   \.\.\.: ?")
_PLACEHOLDER = re.compile(r"<[a-z_ ]+>|\[your[ _][^\]]*\]|\{\{|\{%|…")
# Valid in a later Python than the one that parses here.
_NEWER_SYNTAX = re.compile(
    r"^\s*type \w+(\[.*\])? ?=|^\s*(async )?def \w+\[|^\s*class \w+\[|\bt[\"']|except \w+(, \w+)+:",
    re.MULTILINE,
)
_F_STRING_LINE = re.compile(r"\b[rR]?[fF][\"'].*\{.*[\"'].*\}")


def find_code_defects(exchange: Exchange) -> Finding | None:
    """The code that matters most in the output does not parse."""
    if not exchange.output or exchange.wants_json:
        return None
    if not exchange.wants_code and BROKEN_CODE.search(fold(exchange.prompt)):
        return None
    if _OLD_PYTHON.search(exchange.prompt.lower()):
        return None
    python_asked = exchange.intent.asks(PYTHON)
    if exchange.fences:
        detail = _judge_fences(exchange, python_asked=python_asked)
    elif python_asked and (exchange.wants_code or exchange.task_type == "code"):
        detail = _judge_bare(exchange.text)
    elif exchange.wants_code or exchange.task_type == "code":
        detail = _judge_bare_other(exchange)
    elif python_asked and _is_all_code(exchange.text):
        detail = _judge_bare(exchange.text)
    else:
        detail = None
    return Finding(FindingName.CODE_DOES_NOT_PARSE, detail, 85) if detail else None


def _judge_fences(exchange: Exchange, *, python_asked: bool) -> str | None:
    failures: list[str] = []
    failed_chars = fine_chars = 0
    for fence in exchange.fences:
        is_python = fence.tag in _PYTHON_TAGS or (
            not fence.tag and python_asked and _STARTER.match(fence.code.lstrip("\n")) is not None
        )
        if is_python:
            detail = python_error(fence.code)
        elif fence.tag in _BALANCED_TAGS:
            detail = find_imbalance(fence.code, fence.tag)
        else:
            continue
        if detail:
            failures.append(detail)
            failed_chars += len(fence.code)
        else:
            fine_chars += len(fence.code)
    if not failures or (fine_chars and exchange.intent.asks(BROKEN_CODE)):
        return None
    return failures[0] if failed_chars >= fine_chars else None


def python_error(code: str) -> str | None:
    """Why `code` is not Python, in one sentence; None where it is, or where that is not known."""
    if len(code) > _MAX_PARSED_CHARS or "\x00" in code:
        return None
    lines = textwrap.dedent(code.expandtabs(4)).splitlines()
    if any(line.lstrip().startswith(">>>") for line in lines):
        lines = [_prompted(line) for line in lines if line.lstrip().startswith((">>>", "... "))]
    if any(_IPYTHON.match(line) for line in lines):
        lines = [_IPYTHON.sub("", line) for line in lines if _IPYTHON.match(line)]
    lines = ["" if _SHELL.match(line) else line for line in lines]
    source = "\n".join(lines)
    error = _parse(source)
    if error is None:
        return None
    # A snippet may be the inside of something: a method body, a branch, an elided part.
    if _parse(re.sub(r"^(\s*)\.\.\..*$", r"\1...", source, flags=re.MULTILINE)) is None:
        return None
    if _NEWER_SYNTAX.search(source) or _PLACEHOLDER.search(source):
        return None
    if "f-string" in error and _F_STRING_LINE.search(source):
        return None
    return f"The Python code does not parse: {error}."


def _parse(source: str) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source)
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except (ValueError, RecursionError, MemoryError):
            return None
    return None


def _prompted(line: str) -> str:
    return line.lstrip()[4:]


def _is_all_code(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return _STARTER.match(lines[0]) is not None and all(
        _STARTER.match(line) or _CONTINUATION.match(line) for line in lines
    )


def _judge_bare(text: str) -> str | None:
    """Python without a fence: the stretch of lines from the first that looks like code."""
    if _parse(text) is None:
        return None
    stretches = _code_stretches(text.splitlines())
    if not stretches:
        return None
    return python_error(max(stretches, key=len))


def _code_stretches(lines: list[str]) -> list[str]:
    stretches: list[str] = []
    current: list[str] = []
    for line in lines:
        if _STARTER.match(line) or (current and _CONTINUATION.match(line)):
            current.append(line)
        elif current:
            stretches.append("\n".join(current))
            current = []
    if current:
        stretches.append("\n".join(current))
    return [stretch for stretch in stretches if stretch.strip()]


def _judge_bare_other(exchange: Exchange) -> str | None:
    for tag in ("javascript", "typescript", "java", "golang", "rust", "kotlin", "swift", "php"):
        if re.search(rf"\b{tag}\b", exchange.intent.instruction):
            return find_imbalance(exchange.text, tag)
    return None
