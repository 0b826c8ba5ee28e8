import pytest

from actors.analyzer.decision import Wishes, analyze


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("Hello there", Wishes()),
        ("Answer in Spanish: what is a tide?", Wishes(answer_language="es")),
        ("¿Qué es una marea? Responde en inglés.", Wishes(answer_language="en")),
        ("Translate to German: good morning", Wishes(answer_language="de")),
        ("¿Cómo se dice gracias en japonés?", Wishes(answer_language="ja")),
        ("Traduce del francés al catalán: bonjour", Wishes(answer_language="ca")),
        ("What's the Italian word for spoon?", Wishes(answer_language="it")),
        ("Who teaches in English literature?", Wishes()),
        ("Explain gravity in 50 words", Wishes(max_words=50)),
        ("Explica la gravedad en menos de 20 palabras", Wishes(max_words=20)),
        ("Write a 500-word essay about rivers", Wishes(max_words=500)),
        ("Describe the sea in at most thirty words", Wishes(max_words=30)),
        ("Describe the sea in 10 words or less", Wishes(max_words=10)),
        ("Write at least 200 words about the sea", Wishes()),
        ("Explain gravity in one sentence", Wishes(max_sentences=1)),
        ("Explica la gravedad en dos frases", Wishes(max_sentences=2)),
        ("Explica la gravedad en una sola oración", Wishes(max_sentences=1)),
        ("Explain gravity in a sentence or two", Wishes(max_sentences=2)),
        ("List the planets as JSON", Wishes(response_format="json")),
        ("Dame los planetas en formato JSON", Wishes(response_format="json")),
        ("Compare cats and dogs in a table", Wishes(response_format="table")),
        ("Compara perros y gatos en una tabla", Wishes(response_format="table")),
        ("Give me the causes of the war as bullet points", Wishes(response_format="list")),
        ("Dame las causas de la guerra con viñetas", Wishes(response_format="list")),
        (
            "Write a function in Python that adds two numbers",
            Wishes(response_format="code", programming_language="python"),
        ),
        (
            "Escribe una función en C que sume dos números",
            Wishes(response_format="code", programming_language="c"),
        ),
        (
            "Convert this code from Python to Java: print(1)",
            Wishes(response_format="code", programming_language="java"),
        ),
        ("Explain what this does:\n```ruby\nputs 1\n```", Wishes(programming_language="ruby")),
        ("Write a formal letter to the mayor", Wishes(tone="formal")),
        ("Escribe un mensaje en un tono más amable a mi vecina", Wishes(tone="friendly")),
        ("Rewrite this so that it sounds more professional: hey", Wishes(tone="professional")),
        (
            "Write an email in French in a polite tone, in 80 words",
            Wishes(answer_language="fr", max_words=80, tone="polite"),
        ),
    ],
)
def test_wishes_are_read_from_the_instruction(text: str, wishes: Wishes) -> None:
    assert analyze(text).wishes == wishes


def test_pasted_text_states_no_wishes() -> None:
    pasted = "She wrote a letter in French. " * 20 + "He answered in 20 words. The end came soon."
    assert analyze(f"Summarize the following text: {pasted}").wishes == Wishes()
