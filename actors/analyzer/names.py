"""The names people use, in English and in Spanish, for languages, code and tones (all folded)."""

from typing import Final

_ENGLISH: Final = """
en english|es spanish castilian|fr french|de german|it italian|pt portuguese|nl dutch flemish
ca catalan|gl galician|eu basque|zh chinese mandarin cantonese|ja japanese|ko korean|ru russian
uk ukrainian|ar arabic|tr turkish|pl polish|sv swedish|no norwegian|da danish|fi finnish|la latin
el greek|hi hindi|he hebrew|ro romanian|cs czech|hu hungarian|th thai|vi vietnamese|id indonesian
ga irish|cy welsh|is icelandic|bg bulgarian|eo esperanto|sw swahili|hr croatian|fa persian farsi
"""
_SPANISH: Final = """
en ingles|es espanol castellano|fr frances|de aleman|it italiano|pt portugues|nl neerlandes holandes
ca catalan|gl gallego|eu euskera vasco|zh chino mandarin|ja japones|ko coreano|ru ruso|uk ucraniano
ar arabe|tr turco|pl polaco|sv sueco|no noruego|da danes|fi finlandes fines|la latin|el griego
hi hindi|he hebreo|ro rumano|cs checo|hu hungaro|th tailandes|vi vietnamita|id indonesio|ga irlandes
cy gales|is islandes|bg bulgaro|eo esperanto|sw suajili|hr croata|fa persa
"""


def _codes_by_name(table: str) -> dict[str, str]:
    rows = (entry.split() for line in table.split("\n") for entry in line.split("|") if entry)
    return {name: code for code, *names in rows for name in names}


ENGLISH_LANGUAGE_NAMES: Final = _codes_by_name(_ENGLISH)
SPANISH_LANGUAGE_NAMES: Final = _codes_by_name(_SPANISH)
LANGUAGE_CODES: Final = ENGLISH_LANGUAGE_NAMES | SPANISH_LANGUAGE_NAMES

PROGRAMMING_LANGUAGES: Final[dict[str, str]] = {
    name: language
    for language, names in {
        "python": "python python3 py pandas numpy django flask fastapi pytorch",
        "javascript": "javascript js node nodejs node.js react jquery express vue",
        "typescript": "typescript ts angular",
        "java": "java spring",
        "kotlin": "kotlin",
        "swift": "swift swiftui",
        "c++": "c++ cpp",
        "c#": "c# csharp .net",
        "go": "golang",
        "rust": "rust",
        "ruby": "ruby rails",
        "php": "php laravel",
        "sql": "sql mysql postgresql postgres sqlite",
        "bash": "bash shell sh zsh",
        "powershell": "powershell",
        "html": "html",
        "css": "css",
        "perl": "perl",
        "scala": "scala",
        "haskell": "haskell",
        "matlab": "matlab",
        "lua": "lua",
        "julia": "julia",
        "dart": "dart flutter",
        "elixir": "elixir",
        "cobol": "cobol",
        "fortran": "fortran",
        "vba": "vba",
        "latex": "latex",
    }.items()
    for name in names.split()
}

TONES: Final[dict[str, str]] = {
    name: tone
    for tone, names in {
        "formal": "formal",
        "informal": "informal",
        "friendly": "friendly amistoso amistosa amable amigable cercano cercana warm calido calida",
        "professional": "professional profesional businesslike",
        "casual": "casual relaxed relajado relajada desenfadado desenfadada coloquial colloquial",
        "polite": "polite educado educada cortes courteous respetuoso respetuosa respectful",
        "humorous": "humorous funny gracioso graciosa divertido divertida humoristico humoristica",
        "serious": "serious serio seria",
        "persuasive": "persuasive persuasivo persuasiva convincing convincente",
        "enthusiastic": "enthusiastic entusiasta excited upbeat",
        "neutral": "neutral neutro neutra objective objetivo objetiva",
        "sarcastic": "sarcastic sarcastico sarcastica ironic ironico ironica",
        "romantic": "romantic romantico romantica",
        "poetic": "poetic poetico poetica",
        "academic": "academic academico academica scientific",
        "empathetic": "empathetic empatico empatica compassionate",
        "simple": "simple sencillo sencilla plain",
        "concise": "concise conciso concisa",
    }.items()
    for name in names.split()
}
