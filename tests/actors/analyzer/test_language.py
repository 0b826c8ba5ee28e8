import pytest

from actors.analyzer.excerpt import Excerpt
from actors.analyzer.language import LanguageDetector


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("good evening", "en"),
        ("no entiendo nada", "es"),
        ("que es eso", "es"),
        ("où habites-tu maintenant", "fr"),
        ("warum hast du das gemacht", "de"),
        ("non voglio andare via", "it"),
        ("não quero ir embora", "pt"),
        ("waarom heb je dat gedaan", "nl"),
        ("per què no vols venir", "ca"),
        ("привет, как дела", "ru"),
        ("今日は天気がいい", "ja"),
        ("1 + 1", "und"),
    ],
)
def test_a_few_words_tell_the_language(text: str, language: str) -> None:
    assert LanguageDetector.packaged().detect(Excerpt.of(text)) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ('Traduce al inglés: "the weather is lovely today and we are happy"', "es"),
        ("Resume este texto: The bridge was opened in 1932 by the queen herself.", "es"),
        ("What does this mean: no por mucho madrugar amanece más temprano", "en"),
        ("The bridge was opened in 1932 by the queen.\n\nResume el texto anterior.", "es"),
        ("El puente lo inauguró la reina en 1932.\n\nSummarize the text above.", "en"),
        ("Warum ist der Himmel blau, in English", "en"),
        ("arregla esto: for item in items: print(item.name)", "es"),
    ],
)
def test_the_instruction_decides_and_not_the_text_it_works_on(text: str, language: str) -> None:
    assert LanguageDetector.packaged().detect(Excerpt.of(text)) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Cześć, jak się masz?", "pl"),
        ("Hur mår du idag?", "sv"),
        ("Hva heter du?", "no"),
        ("Bugün hava nasıl?", "tr"),
        ("Jaké je hlavní město Francie?", "cs"),
        ("Care este capitala Franței?", "ro"),
        ("Mitä kuuluu?", "fi"),
        ("Thủ đô của Pháp là gì?", "vi"),
        ("what does dziękuję mean", "en"),
        ("¿Quién fue Lech Wałęsa?", "es"),
        ("hola", "es"),
    ],
)
def test_a_language_without_a_profile_is_told_by_its_common_words(text: str, language: str) -> None:
    assert LanguageDetector.packaged().detect(Excerpt.of(text)) == language
