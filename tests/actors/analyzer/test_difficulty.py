import pytest

from actors.analyzer.decision import analyze


@pytest.mark.parametrize(
    ("text", "difficulty"),
    [
        ("hola", "low"),
        ("What is the capital of Peru?", "low"),
        ("2+2", "low"),
        ("Compare nuclear and solar energy in detail", "medium"),
        (
            "Design a distributed cache in Go, analyze its trade-offs and prove that it is"
            " linearizable, step by step",
            "high",
        ),
    ],
)
def test_difficulty_grows_with_what_is_asked(text: str, difficulty: str) -> None:
    assert analyze(text).difficulty == difficulty


def test_length_makes_a_prompt_harder() -> None:
    short = analyze("Summarize this: the sea is blue.")
    long = analyze("Summarize this: " + "the sea is blue and the sky is wide. " * 400)
    assert short.difficulty == "low"
    assert long.difficulty != "low"
