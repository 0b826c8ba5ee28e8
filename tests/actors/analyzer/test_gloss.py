import pytest

from actors.analyzer.decision import analyze
from actors.analyzer.excerpt import Excerpt
from actors.analyzer.gloss import into_english, packaged_glosses


@pytest.mark.parametrize(
    ("text", "task_type"),
    [
        ("Quelle est la capitale de l'Australie ?", "question"),
        ("Schreibe ein kurzes Gedicht über den Winter.", "write"),
        ("Scrivi una funzione Python che inverta una stringa.", "code"),
        ("Olá, tudo bem com você?", "chat"),
        ("Vertaal naar het Engels: Ik heb een nieuwe fiets.", "translate"),
        ("Combien font 15 % de 80 ?", "math"),
        ("Почему небо голубое?", "question"),
        ("请用一句话总结下面的文章：人工智能正在改变医疗行业。", "summarize"),
        ("次の文を英語に翻訳してください：今日は雨です。", "translate"),
        ("Extrais les dates de ce texte : Il est né le 3 mai 1990.", "extract"),
    ],
)
def test_other_languages_are_told_by_their_orders(text: str, task_type: str) -> None:
    assert analyze(text).task_type == task_type


@pytest.mark.parametrize("language", ["en", "es", "und", "sw"])
def test_a_language_without_a_gloss_stays_as_it_is(language: str) -> None:
    excerpt = Excerpt.of("Schreibe ein Gedicht")
    assert into_english(excerpt, language) is excerpt


def test_only_known_words_are_put_into_english() -> None:
    glossed = into_english(Excerpt.of("Schreibe ein Gedicht über Rosen"), "de")
    assert glossed.folded_head == "write ein poem uber rosen"


def test_every_gloss_has_words_for_asking_and_for_writing() -> None:
    for rows in packaged_glosses().values():
        assert {"write", "translate", "why"} <= rows.keys()
