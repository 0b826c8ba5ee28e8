"""What to say of an answer that is data or code, where no sentence stands for it."""

import json
import re
from typing import Any, Final

from actors.summarizer.fences import Parts
from actors.summarizer.graphemes import cut
from actors.summarizer.plain import one_line

_MAX_NAMES: Final = 6
_MAX_NAME_CHARS: Final = 40
_DEFINED = re.compile(
    r"^[ \t]*(?:export[ \t]+|public[ \t]+|async[ \t]+|static[ \t]+){0,3}"
    r"(?:def|class|function|func|fn|struct|enum|interface|trait|CREATE TABLE)[ \t]+(\w{1,60})",
    re.MULTILINE,
)
_LANGUAGES: Final = {
    "py": "Python", "python": "Python", "js": "JavaScript", "javascript": "JavaScript",
    "ts": "TypeScript", "typescript": "TypeScript", "sh": "Shell", "bash": "Shell",
    "sql": "SQL", "html": "HTML", "css": "CSS", "json": "JSON", "yaml": "YAML", "yml": "YAML",
    "c": "C", "cpp": "C++", "c++": "C++", "cs": "C#", "go": "Go", "rs": "Rust", "rust": "Rust",
    "java": "Java", "kotlin": "Kotlin", "rb": "Ruby", "ruby": "Ruby", "php": "PHP",
    "toml": "TOML", "xml": "XML", "dockerfile": "Dockerfile", "r": "R", "swift": "Swift",
}  # fmt: skip


def is_spanish(language: str | None) -> bool:
    """Whether descriptions are to be in Spanish."""
    return (language or "").lower().startswith("es")


def describe_json(text: str, parts: Parts, language: str | None) -> str | None:
    """``JSON object with 2 keys: name, age.``, or None when ``text`` is no JSON document."""
    source = text
    if parts.fenced and not parts.prose.strip():
        source = parts.fenced[0].code
    if not source.lstrip().startswith(("{", "[")):
        return None
    try:
        value = json.loads(source)
    except (ValueError, RecursionError):
        return None
    spanish = is_spanish(language)
    if isinstance(value, dict):
        return _describe_object(value, spanish=spanish)
    num_items = len(value)
    if spanish:
        return f"Lista JSON de {num_items} {'elemento' if num_items == 1 else 'elementos'}."
    return f"JSON array of {num_items} {'item' if num_items == 1 else 'items'}."


def describe_code(text: str, parts: Parts, language: str | None) -> str:
    """``Python code of 12 lines: add, main.``; empty when ``text`` has no code."""
    if not parts.fenced:
        return ""
    code = "\n".join(fenced.code for fenced in parts.fenced)
    name = next((fenced.language for fenced in parts.fenced if fenced.language), "")
    title = _LANGUAGES.get(name, "")
    num_lines = sum(1 for line in code.splitlines() if line.strip())
    defined = list(dict.fromkeys(_DEFINED.findall(code)))[:_MAX_NAMES]
    names = f": {', '.join(defined)}" if defined else ""
    if is_spanish(language):
        kind = f"Código {title}".strip()
        return f"{kind} de {num_lines} {'línea' if num_lines == 1 else 'líneas'}{names}."
    kind = f"{title} code" if title else "Code"
    return f"{kind} of {num_lines} {'line' if num_lines == 1 else 'lines'}{names}."


def _describe_object(value: dict[str, Any], *, spanish: bool) -> str:
    num_keys = len(value)
    shown = ", ".join(_name(key) for key in list(value)[:_MAX_NAMES])
    more = ", …" if num_keys > _MAX_NAMES else ""
    names = f": {shown}{more}" if shown else ""
    if spanish:
        return f"Objeto JSON con {num_keys} {'clave' if num_keys == 1 else 'claves'}{names}."
    return f"JSON object with {num_keys} {'key' if num_keys == 1 else 'keys'}{names}."


def _name(key: str) -> str:
    return cut(one_line(key[: 4 * _MAX_NAME_CHARS]), _MAX_NAME_CHARS, mark="…")
