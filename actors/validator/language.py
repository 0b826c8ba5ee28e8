"""Which natural language a text is in, by function words, marks and script.

Small on purpose: it only has to be right when it says that it is sure. English and Spanish are
known best; French, German, Portuguese, Italian and Dutch well enough to tell them apart from
those two; other languages only by their script. A word counts whole where it is a common one,
and half where only its spelling is typical of a language.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from actors.validator.folding import words_of

_SOURCE: Mapping[str, str] = {
    "en": """the of and to in is are was were you your i i'm it it's its that that's this these
        those for with on as at by be been have has had can could will would not don't doesn't
        isn't can't what how which who when where why there here they we his her their my our from
        or but if so about into than then does did hello hi thanks thank please yes sure
        today help let's you're i'd i'll what's an all also should must because each every any some
        other more most very just only after before over under between while during through such
        both many much make makes made use used using first second good great well like know need
        want get it'll there's them us him she he's she's we're they're""",
    "es": """el la los las un una unos unas de del y que en es son era eran está están estoy estás
        con por para como más pero si sí se su sus lo le les te mi tu tus mis muy este esta esto
        estos estas ese esa eso hay ser tiene tienen puede pueden puedo puedes qué cómo cuál quién
        dónde cuándo hola gracias buenos buenas días hoy también cuando porque desde hasta entre
        sobre al fue han ha donde ya ni sin cada todo todos toda todas otro otra otros hacer hace
        así después antes durante mientras soy eres somos nos yo él ella ellos ellas usted ustedes
        claro ayudarte ayuda aquí ahora según tan tanto mucho muchos muchas aunque uno dos
        bien gran debe deben luego contra había sido siempre nunca cual quien e u""",
    "fr": """le la les un une des du de et est sont était je tu il elle nous vous ils elles que
        qui dans pour avec sur pas ne ce cette ces mais ou où au aux par plus très être avoir fait
        c'est j'ai n'est d'une d'un qu'il l'on comme tout tous bonjour merci oui leur leurs son sa
        ses mon ma mes votre notre aussi bien peut sans sous entre chaque puis a à y en se s'il
        été ont aujourd'hui comment quoi""",
    "de": """der die das ein eine einen einem einer und ist sind war ich du er sie es wir ihr nicht
        mit auf für von zu den dem des im in an als auch wie was wer wo aber oder wenn dass
        haben hat kann können wird werden sich nach bei aus noch nur sehr mehr über hallo danke ja
        bitte guten morgen heute zum zur vom am um durch gegen ohne dieser diese dieses sein seine
        ihre mein dein habe bin bist schon immer""",
    "pt": """o a os as um uma uns umas de do da dos das e é são era que em no na nos nas com por
        para como mais mas se não sim seu sua seus suas eu você vocês ele ela eles elas muito este
        esta isso isto há ser tem têm pode podem olá obrigado obrigada bom dia hoje também quando
        porque desde até entre sobre ao aos à às foi já nem sem cada todo todos ou está estão
        estou fazer faz pelo pela meu minha bem depois""",
    "it": """il lo la i gli le un uno una di del della dei delle dello degli e è sono era che in
        con per come più ma se non sì si suo sua io tu lui lei noi voi loro molto questo questa
        questi c'è essere ha hanno può ciao grazie buongiorno oggi anche quando perché da dal
        dalla tra fra su sul sulla al alla nel nella ho hai cosa dove ogni tutto tutti mio mia
        l'italia bene dopo prima""",
    "nl": """de het een en is zijn was ik jij je hij zij wij niet met op voor van te den als ook
        hoe wat wie waar maar of dat deze dit heeft hebben kan kunnen wordt worden naar bij uit nog
        zeer meer over hallo dank ja graag goede vandaag door tegen zonder mijn jouw er om aan""",
}
# Common words that say what a text is about, too.
_CONTENT: Mapping[str, str] = {
    "en": """me say says said way work works world people year years day time new old great best big
        small long short high low three four five six seven eight nine ten water life man woman
        child children house city country name word words write list give tell show explain
        describe find take see think part place thing things something someone never always often
        even still own same few another again up down out off back away together without within
        against once until since next last since usually including example because love friend
        home night morning light book food money school start try keep let put ask answer question
        problem point group number state different important large early young right left main
        summarize translate sentence short poem story function code python program email letter
        capital red blue green white black one's people's happy sad today's tomorrow yesterday
        no cat dog cats dogs car sun moon sea river mountain""",
    "es": """dime dame cuéntame explica explícame escribe haz resume traduce recomiéndame cuenta
        necesito quiero quieres puedo sabes conoces año años día vida mundo país países ciudad
        casa agua tiempo hombre mujer niño niños gente persona personas nombre palabra palabras
        frase cosa cosas parte lugar forma manera trabajo problema pregunta respuesta ejemplo
        historia cuento carta correo texto nuevo nueva nuevos nuevas grande grandes pequeño
        pequeña mejor peor mayor menor primero primera segundo segunda último última mismo misma
        tres cuatro cinco seis siete ocho nueve diez además también tampoco solo sólo mientras
        dentro fuera cerca lejos arriba abajo hacia mediante cuyo cuya nada nadie algo alguien
        algún alguna algunos algunas varios varias demás hecho hizo dijo decir ver ir ido voy vas
        va vamos van tenía tener quiere quieren saber sabe poder poner pone dar da dan días
        noche mañana tarde hombres mujeres luz luna sol mar cielo río perro gato libro comida
        tengo tienes mucha
        dinero escuela función código programa capital rojo azul verde blanco negro feliz triste
        muchísimo quizás tal vez ojalá suele suelen mediano rápido fácil difícil cada usa úsalo
        siguiente siguientes llamado llamada""",
}
FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    code: frozenset(text.split()) for code, text in _SOURCE.items()
}
WORDS: Mapping[str, frozenset[str]] = {
    code: words | frozenset(_CONTENT.get(code, "").split())
    for code, words in FUNCTION_WORDS.items()
}

_SCRIPTS: Mapping[str, re.Pattern[str]] = {
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ko": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "he": re.compile(r"[\u0590-\u05ff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
}
# Languages that share a script with the one that stands for it above.
SCRIPT_OF: Mapping[str, str] = {
    "uk": "ru",
    "bg": "ru",
    "sr": "ru",
    "fa": "ar",
    "ur": "ar",
    "mr": "hi",
    "ne": "hi",
    "yue": "zh",
}
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_SPANISH_MARKS = re.compile(r"[¿¡ñÑ]")
# A script must hold this share of the letters before a text is said to be in it.
_MIN_SCRIPT_SHARE = 0.3
_MAX_CHARS = 4000


# Spellings that are usual in one language and rare in the others of this list.
_SPELLINGS: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(
        r"(?:ing|ed|ly|ness|ful|less|tion|tions|ght|ck|th|ity|ous|able|ies|ings|'s|ss|sh|ee|oo\w)$|"
        r"^(?:wh|th|sh|kn|wr)|ough|tch|ea[cdklmnrst]|ow[nls]?$|ee[dklnpt]|oo[dklmnprt]"
    ),
    "es": re.compile(
        r"(?:ci[oó]n|ciones|si[oó]n|mente|dad|dades|ando|iendo|[aá]ndo\w+|aron|ieron|aba|aban|ía|"
        r"ían|"
        r"ado|ada|ados|adas|ido|ida|idos|idas|illo|illa|ito|ita|ero|era|eros|eras|ismo|ista|oso|"
        r"osa|"
        r"ble|bles|anza|aje|ico|ica|icos|icas|ar|er|ir|arse|erse|irse|ió|ará|erá|irá)$|ñ|"
        r"ll[aeiouáéíóú]|"
        r"ue[lnrstvz]|ie[nrst]|[áéíóú]"
    ),
    "fr": re.compile(
        r"(?:eau|eaux|eux|euse|ement|ette|ique|iques|oire|ois|ait|aient|ez|ent|é|ée|és|ées|er)$|"
        r"^(?:l|d|j|qu|n|s|c)'|[èêçœùûîôâ]|ou[jlrst]|oi[rs]|[aeiou]eu|eu[rx]"
    ),
    "de": re.compile(
        r"(?:ung|ungen|lich|keit|heit|isch|en|chen|tig|ter|tet)$|sch|[ßäöü]|ei[nst]|ch[te]"
    ),
    "pt": re.compile(
        r"(?:ção|ções|ões|ão|mente|dade|ado|ada|ando|endo|ar|er|ir|agem|inho|eira|eiro)$|[ãõçâê]|"
        r"nh|lh"
    ),
    "it": re.compile(
        r"(?:zione|zioni|mente|ità|ato|ata|ati|are|ere|ire|ando|endo|etto|ella|aggio|iamo|ino|"
        r"ini|tti|tto)$|gli|zz|cch|ggi|[àèìòù]$"
    ),
    "nl": re.compile(r"(?:lijk|heid|tje|en|ing)$|ij|aa[lnrt]|oo[rnlt]|uu|ui|sch|ee[nlrt]"),
}  # fmt: skip
_ELISION = re.compile(r"(?:j|qu|n|c|s)'[aeiouyhéêàâ]")
_MIN_SPELLED_CHARS = 4
# "La la la" is no Spanish; a word said more often than this says no more.
_MAX_TIMES = 3


@dataclass(frozen=True, slots=True)
class LanguageEvidence:
    """How much speaks for each language: 1 for a common word, 0.5 for a typical spelling.

    `best` is the ISO 639-1 code with the most hits, None where there is no evidence at all.
    """

    num_words: int
    hits: Mapping[str, float]
    num_common: Mapping[str, int]
    script: str | None

    @property
    def best(self) -> str | None:
        if self.script:
            return self.script
        code = max(self.hits, key=lambda code: self.hits[code])
        return code if self.hits[code] else None

    def is_sure(self) -> bool:
        """True where the best language stands well clear of every other."""
        if self.script:
            return True
        best = self.best
        if best is None or self.num_common[best] == 0:
            return False
        first, second = sorted(self.hits.values(), reverse=True)[:2]
        # 5 in 4 tells Spanish from Portuguese, which share half of their function words.
        return first >= 2 and first * 3 >= self.num_words and first >= second * 1.25 + 0.5  # noqa: PLR2004


def weigh_language(text: str) -> LanguageEvidence:
    """Count the evidence in the first few thousand characters of `text`."""
    text = text[:_MAX_CHARS]
    words = [
        word.lower().replace("\u2019", "'") for word in words_of(text) if not word[0].isdigit()
    ]
    counts = Counter(words)
    num_common = {code: _count_common(counts, known) for code, known in WORDS.items()}
    num_common["fr"] += sum(1 for word in counts if _ELISION.match(word))
    spelled = [word for word in counts if len(word) >= _MIN_SPELLED_CHARS]
    hits: dict[str, float] = {}
    for code, known in WORDS.items():
        looks = sum(1 for word in spelled if word not in known and _SPELLINGS[code].search(word))
        letters = sum(
            min(counts[word], _MAX_TIMES) for word in counts if len(word) == 1 and word in known
        )
        hits[code] = num_common[code] + looks / 2 + letters
    marks = min(3, len(_SPANISH_MARKS.findall(text)))
    hits["es"] += marks
    num_common["es"] += marks
    num_words = sum(min(times, _MAX_TIMES) for times in counts.values())
    return LanguageEvidence(num_words, hits, num_common, _script_of(text))


def _count_common(counts: Counter[str], known: frozenset[str]) -> int:
    # One letter alone may be a variable or a list mark.
    common = [counts[word] for word in counts.keys() & known if len(word) > 1]
    return sum(min(times, _MAX_TIMES) for times in common) if len(common) > 1 else len(common)


def detect_language(text: str) -> str | None:
    """The language of `text` where there is no doubt, else None."""
    evidence = weigh_language(text)
    return evidence.best if evidence.is_sure() else None


def _script_of(text: str) -> str | None:
    num_latin = len(_LATIN.findall(text))
    counts = {code: len(pattern.findall(text)) for code, pattern in _SCRIPTS.items()}
    # Japanese is written with Chinese characters too; kana decide.
    if counts["ja"] * 8 > counts["zh"]:
        counts["ja"] += counts["zh"]
        counts["zh"] = 0
    code = max(counts, key=lambda code: counts[code])
    total = num_latin + sum(counts.values())
    return code if total and counts[code] >= max(2, total * _MIN_SCRIPT_SHARE) else None
