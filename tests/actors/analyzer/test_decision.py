import ast
import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.analyzer.decision import Analysis, TaskType, Wishes, analyze

ROOT = Path(__file__).parents[3]
LABELLED = ROOT / "benchmarks" / "data" / "analyzer.jsonl"
NUM_HOSTILE_CHARS = 2_000_000
HOSTILE_PIECES = (
    *(" ", "\n", " \n", "a", "é", "名", "\u0301", "_", "1+", "¿", '"', "“", "«", "`", "```a"),
    *("'a ", "(", "a(b", "{ ", "<a ", "$a ", "x:", "a. ", "x\n\n", "- a\n", "error", "select "),
    *("give me ", "how do ", "in en to al ", "put ", "un ", "very ", "hi ", "please ", "qqq "),
    *("at most ", "```", "~~~"),
)


def labelled(fold: str) -> list[dict[str, str]]:
    rows = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["fold"] == fold]


@given(st.text(max_size=400))
def test_any_text_gets_a_valid_analysis(text: str) -> None:
    analysis = analyze(text)
    assert analysis.task_type in TaskType
    assert 0.0 < analysis.confidence <= 1.0
    assert analysis.language == "und" or (
        len(analysis.language) == 2 and analysis.language.islower()
    )
    assert analysis.num_tokens >= 0
    assert analysis.difficulty in {"low", "medium", "high"}
    for count in (analysis.wishes.max_words, analysis.wishes.max_sentences):
        assert count is None or count >= 1


@given(st.text(alphabet="aeiouñáé ¿?¡!:.\n\"'`“”«»(){}0123456789=+-*/", max_size=300))
def test_the_same_text_gets_the_same_analysis(text: str) -> None:
    assert analyze(text) == analyze(text)


@pytest.mark.parametrize("text", ["", "   ", "\n", "???", "…", "😀", "\u200b", '""', "``````"])
def test_a_text_without_words_is_chat_in_no_language(text: str) -> None:
    analysis = analyze(text)
    assert (analysis.task_type, analysis.language) == (TaskType.CHAT, "und")
    assert analysis.difficulty == "low"
    assert analysis.wishes == Wishes()


def test_lone_surrogates_and_control_characters_are_accepted() -> None:
    assert isinstance(analyze("hola \ud800\x00\x1b[0m \udfff"), Analysis)


@pytest.mark.parametrize("fold", ["tune", "held_out"])
def test_task_type_and_language_of_labelled_prompts_are_told(fold: str) -> None:
    rows = labelled(fold)
    analyses = [analyze(row["prompt"]) for row in rows]
    pairs = list(zip(rows, analyses, strict=True))
    types_right = sum(row["task_type"] == analysis.task_type for row, analysis in pairs)
    languages_right = sum(row["language"] == analysis.language for row, analysis in pairs)
    assert len(rows) == 200
    assert types_right / len(rows) >= 0.92
    assert languages_right / len(rows) >= 0.92


def test_labelled_prompts_are_balanced() -> None:
    rows = labelled("tune") + labelled("held_out")
    num_by_type = {kind: sum(row["task_type"] == kind for row in rows) for kind in TaskType}
    assert set(num_by_type.values()) == {50}
    assert len({row["prompt"] for row in rows}) == 400


@pytest.mark.parametrize(
    ("text", "task_type", "language"),
    [
        ("hola", "chat", "es"),
        ("thanks!", "chat", "en"),
        ("2+2", "math", "und"),
        ("capital of Peru?", "question", "en"),
        ("what is 15 % of 80", "math", "en"),
        ("what does this code do: print(1)", "code", "en"),
        ("escribe una función en go", "code", "es"),
        ("write a summary of the following text", "summarize", "en"),
        ("Can you translate this to Spanish? I like tea.", "translate", "en"),
        ("translate this code from python to java: print(1)", "code", "en"),
        ("redacta un correo a mi casera", "write", "es"),
        ("saca las fechas de este texto: nació en 1990", "extract", "es"),
        ("write the word table in upper case", "write", "en"),
    ],
)
def test_short_prompts_are_told(text: str, task_type: str, language: str) -> None:
    analysis = analyze(text)
    assert (analysis.task_type, analysis.language) == (task_type, language)


@pytest.mark.parametrize("piece", HOSTILE_PIECES)
def test_two_megabytes_of_anything_cost_little(piece: str) -> None:
    text = piece * (NUM_HOSTILE_CHARS // len(piece))
    started_s = time.thread_time()
    analyze(text)
    assert time.thread_time() - started_s < 0.2


def test_the_decision_imports_only_itself_the_contracts_and_the_standard_library() -> None:
    folder = ROOT / "actors" / "analyzer"
    for path in sorted(folder.glob("*.py")):
        if path.name in {"__init__.py", "actor.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            for name in names:
                inside = name.startswith(("actors.analyzer.", "contracts."))
                assert inside or name.partition(".")[0] in sys.stdlib_module_names, path
