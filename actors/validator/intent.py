"""What a prompt asks for, as far as its wording says so (English and Spanish)."""

import re
from dataclasses import dataclass

from actors.validator.folding import fold, folded_words

_MAX_CHARS = 12_000
# An instruction is short; what follows a colon after this many words is not its object.
_MAX_INSTRUCTION_WORDS = 40
_QUOTED = re.compile(r"[\"“«]([^\"”»]{1,4000})[\"”»]|(?<!\w)['‘]([^'’\n]{2,400})['’](?!\w)")


@dataclass(frozen=True, slots=True)
class Intent:
    """A prompt split into what it orders and the text it orders it about.

    `instruction` is folded (lower case, no accents); `source` is as written, "" where the prompt
    brings no text of its own.
    """

    instruction: str
    source: str

    def asks(self, pattern: re.Pattern[str]) -> bool:
        return pattern.search(self.instruction) is not None

    def asks_unquoted(self, pattern: re.Pattern[str]) -> bool:
        """Like `asks`, for words that the instruction says and does not only quote."""
        return pattern.search(_QUOTED.sub(" ", self.instruction)) is not None


def read_intent(prompt: str) -> Intent:
    """Split `prompt`. Only its first and last thousands of characters are looked at."""
    text = prompt.strip()
    if len(text) > _MAX_CHARS:
        text = f"{text[: _MAX_CHARS // 2]}\n{text[-_MAX_CHARS // 2 :]}"
    head, source = _split(text)
    return Intent(fold(head), source.strip())


def _split(text: str) -> tuple[str, str]:
    first, line_break, rest = text.partition("\n")
    if line_break and rest.strip():
        return _split_lines(text, first, rest)
    before, colon, after = text.partition(":")
    if colon and len(after.split()) >= 1 and 0 < len(before.split()) <= _MAX_INSTRUCTION_WORDS:
        return before, after.strip().strip("\"'“”«»")
    quoted = max((m[1] or m[2] for m in _QUOTED.finditer(text)), key=len, default="")
    return text, quoted


def _split_lines(text: str, first: str, rest: str) -> tuple[str, str]:
    last = text.rstrip().rpartition("\n")[2]
    before, colon, after = first.partition(":")
    if len(first.split()) > _MAX_INSTRUCTION_WORDS and colon and len(before.split()) <= 20:  # noqa: PLR2004
        return before, f"{after}\n{rest}"
    if len(first.split()) > _MAX_INSTRUCTION_WORDS and len(last.split()) <= _MAX_INSTRUCTION_WORDS:
        return last, text.rstrip()[: -len(last)]
    if ORDER.search(fold(last)) and not ORDER.search(fold(first)):
        return last, text.rstrip()[: -len(last)]
    return f"{first}\n{last}" if len(last.split()) <= 20 else first, rest  # noqa: PLR2004


def count_words(text: str) -> int:
    return len(folded_words(text))


_WRITE = (
    r"(?:write|create|implement|make|build|generate|give|show|provide|code|develop|need|define|"
    r"complete|refactor|port|design|want|escrib\w*|crea|crear|creame|implementa\w*|haz|hazme|"
    r"genera|"
    r"generar|generame|dame|muestra\w*|necesito|quiero|programa|programame|desarrolla\w*|define|"
    r"completa|disena\w*)"
)
ORDER = re.compile(
    r"^(please |por favor,? )?(write|translate|summari[sz]e|extract|explain|fix|correct|list|find|"
    r"rewrite|convert|classify|answer|what|which|who|how|traduce|resume|extrae|explica|corrige|"
    r"lista|reescribe|convierte|clasifica|responde|que|cual|quien|como)\b"
)
_PROGRAMMING = (
    r"python|javascript|typescript|java|rust|golang|go|bash|shell|powershell|sql|html|css|c\+\+|c#|"
    r"c|php|ruby|kotlin|swift|perl|scala|node(?:\.?js)?|react|js"
)
_CODE_NOUN = (
    r"(?:functions?|programs?|class(?:es)?|methods?|decorators?|generators?|algorithms?|snippets?|"
    r"code|regex|regexp|regular expressions?|quer(?:y|ies)|one-liners?|unit tests?|dockerfile|"
    r"makefile|list comprehension|context manager|endpoint|dataclass|components?|script|macro|"
    r"funcion|funciones|programas?|clases?|metodos?|decorador|generador|algoritmo|codigo|"
    r"expresion regular|consulta|prueba unitaria|componente|comando|command|loop|bucle|"
    rf"(?:{_PROGRAMMING}) [\w-]+)"
)
_POLITE = (
    r"(?:please |por favor,? |(?:can|could|would|will) you (?:please |help me )?|puedes |podrias |"
    r"i (?:need|want|would like|'d like) (?:you to )?|help me |ayudame a )"
)
# The order stands at the start of a sentence, and the thing ordered soon after it.
CODE = re.compile(
    rf"(?:^|[.!?:,\n] ?){_POLITE}*{_WRITE}\b(?: me| us)?(?: [\w'#+.-]+){{0,6}}? {_CODE_NOUN}"
    r"(?![\w-])"
    rf"|^(?:a |un |una )?(?:python|javascript|typescript|java|bash|sql|c\+\+|php|codigo|code|"
    rf"funcion|function|regex|script)\b[^?\n]{{0,30}}?"
    r"\b(?:function|code|script|query|regex|class|loop|one-liner|to|for|that|which|para|que|"
    r"funcion|"
    r"codigo|clase)\b"
)
# In a named programming language: code whatever else the prompt mentions.
PROGRAM = re.compile(
    rf"(?:^|[.!?:,\n] ?){_POLITE}*{_WRITE}\b(?: me| us)?(?: [\w'#+.-]+){{0,2}}? "
    r"(?:python|javascript|typescript|java|rust|golang|bash|sql|html|css|c\+\+|php|ruby|kotlin)"
    r"(?![\w-])"
)
_PROSE_GENRE = (
    r"poem|story|song|monologue|monologo|youtube|video|movie|film|scene|podcast|commercial|"
    r"screenplay|episode|dialogue|tweet|post|course|curso|marketing|essay|joke|haiku|blog|speech|"
    r"poema|cuento|cancion|ensayo|chiste|correo|carta|discurso|guion|pelicula|article|articulo"
)
CODE_AS_PROSE = re.compile(rf"\b({_PROSE_GENRE})\b")
# Words that make "script", "program" or "class" something else than code.
CODE_AS_SUBJECT = re.compile(
    rf"\b({_PROSE_GENRE}|chatbot|conversation|discount|coupon|cupon|play|theater|promo\w*|obra|"
    r"email|paragraph|letter|explanation|summary|description|dress code|code of conduct|"
    r"business plan|workout|training|school|class(es)? (about|on|for)|class schedule|tv|historia|"
    r"parrafo|explicacion|resumen|descripcion|codigo de vestimenta|de ejercicios|"
    r"de entrenamiento|lesson|names?|nombres?|titles?|slogan|eslogan|analogy|analogia|pseudocode|"
    r"pseudocodigo|review|steps|pasos|plan|ideas|reasons?|razones|docstring|comment|comentario)\b"
)
PYTHON = re.compile(r"\bpython\b|\bpytest\b|\bpandas\b|\bnumpy\b|\bdjango\b|\bflask\b")
BROKEN_CODE = re.compile(
    r"syntax ?error|error de sintaxis|python ?2\b|\bbugs?\b|\bdebug|wrong with|does ?n.t (work|"
    r"run)|"
    r"not (work|run)|no (funciona|compila)|\bfix\b|\bcorrige|\barregla|pseudo|"
    r"(common|typical) mistakes|errores (comunes|tipicos)|invalid|template|jinja"
)
_JSON_AS = r"\b(as|in|into|to|en|como|a|un|una|a valid|only|solo|just|with)( an?| un)?"
JSON = re.compile(
    rf"{_JSON_AS} (valid |strict |raw |minified |formato )?json\b(?! (file|schema|parser|web|"
    rf"archivo))"
    r"|\bjson (object|array|format|output|response|only|list|with|document|valido)\b"
    r"|\b(objeto|arreglo|array|formato|salida|respuesta|lista|documento) (en )?json\b"
    r"|\b(return|output|give|respond|reply|produce|generate|devuelve\w*|responde|genera|dame|"
    r"escribe|write|create|crea)\b[^.?!\n]{0,30}\bjson\b"
)
JSON_AS_SUBJECT = re.compile(
    r"\b(what is|what's|what does|que es|explain|explica\w*|difference|diferencia|why|por que|"
    r"parse|parsea\w*|"
    r"read|load|leer?|carga\w*|python|javascript|typescript|java|rust|function|funcion|script|code|"
    r"codigo|from json|json to|json (a|into) (csv|yaml|xml|python|a table)|de json|this json|"
    r"este json|"
    r"api|schema|when (should|to)|how (do|to|can|does)|como (se|puedo|convierto|hago)|sql|class|"
    r"dumps|loads|valid\?|es valido|advantages|ventajas|vs|versus|poem|poema|about json|"
    r"sobre json)\b"
)
JSON_ONLY = re.compile(
    r"\b(only|just|solo|solamente|unicamente|exclusivamente|nothing else|no (other|extra|"
    r"additional|"
    r"explanation|prose|markdown|text)|sin (texto|explicacion|nada|comentarios))\b"
)
REPEAT = re.compile(
    r"\b(repeat\w*|again and again|over and over|times|veces|repit\w*|repet\w*|chant|mantra|"
    r"echo|copy|copia\w*|type .* exactly|same (word|sentence|line|thing)|misma (palabra|frase)|"
    r"pattern|patron|zeros?|ceros|ones|unos|matrix|matriz|binary|binario|ascii|sequence|secuencia|"
    r"serie|alternat\w*|row of|fila de|divider|separador|loop|bucle|scream|grita\w*|"
    r"stutter|tartamud\w*|laugh|risa|buffalo|sound|sonido|onomatop\w*)\b"
)
VERSE = re.compile(
    r"\b(poem|poema|poesia|song|cancion|lyrics|letra|refrain|estribillo|chorus|coro|rhyme|rima\w*|"
    r"verse|verso|haiku|sonnet|soneto|ballad|balada|lullaby|nana|villanelle|nursery|chant|himno|"
    r"anthem|hymn|jingle|rap|prayer|oracion|copla|limerick|villancico|carol|anaphora|anafora|"
    r"estrofa|"
    r"stanza|sing|canta\w*)\b"
)
COPYING = re.compile(
    r"\b(repeat|repite|repetir|echo|copy|copia\w*|say|di|type|escribe exactamente|exactly|"
    r"exactamente|upper ?-?case|lower ?-?case|capitali[sz]e|mayusculas?|minusculas?|reverse|"
    r"invierte|"
    r"rewrite|reescrib\w*|reword|rephrase|paraphrase|parafrasea\w*|reformula\w*|fix|correct|"
    r"corrige|"
    r"corregir|proofread|revisa|edit|edita|improve|mejora\w*|polish|format|formatea|typos?|"
    r"spelling|ortografia|gramm?atica|grammar|punctuat\w*|puntua\w*|punctuation|replace|reemplaza|"
    r"sustituye|translate|traduc\w*|quote|cita|transcri\w+|add|agrega|anade|remove|elimina|quita|"
    r"convert\w*|conviert\w*|sort|ordena|change|cambia|make this|complete|completa|continue|"
    r"continua|"
    r"extract|extrae\w*|extraer|spell|deletrea|title case|trim|clean|limpia|return|devuelve|"
    r"identify|identifica|find|encuentra|which|cual|accents?|tildes?|acentos?|shorten|finish|"
    r"termina|"
    r"lowercase|anonymi[sz]e|redact|swap|number|numera|split|divide|join)\b"
)
TRANSLATE = re.compile(
    r"\btranslat\w*|\btraduc\w*|\btraduzc\w*|how (do|would|can) (you|i|we) say|how to say|"
    r"como se dice|como (digo|dirias|se escribe)|what('s| is) the \w+ (word|translation) for|"
    r"\b(in|to|into|al|en) (english|spanish|ingles|espanol|castellano)\s*:"
)
ORDERS_TRANSLATION = re.compile(r"\btranslat(e|ing)\b|\btraduc\w*|\btraduzc\w*")
SUMMARIZE = re.compile(
    r"\bsummari[sz]e\b|\bsummary\b|\btl;?dr\b|\bcondense\b|^resume\b|"
    r"\bresume (el|la|los|las|lo|este|esta|esto|en|un|una|brevemente|y)\b|\bresum(en|ir|a|elo|"
    r"eme)\b|"
    r"\bsintetiza\b|\bshorten\b|\bacorta\b"
)
MATH = re.compile(
    r"\bcalculat\w*|\bcompute\b|\bsolve\b|\bcalcul\w*|\bresuelve\b|\bresolver\b|\bevaluate\b|"
    r"\bhow (many|much)\b|\bcuant[oa]s?\b|\bwhat is [-(]?\d|\bcuanto es\b|\bsum of\b|\bsuma de\b|"
    r"\d\s*[-+*/x×÷^=]\s*\(?\d|\bsquare root\b|\braiz cuadrada\b|\bderivative\b|\bderivada\b|"
    r"\bintegral\b|\bpercent(age)? of\b|\d ?% (of|de)\b|\bpor ciento de\b|\bdivided by\b|"
    r"\bdividido\b|\bmultiplied\b|\btimes \d|\d por \d|\d (mas|menos|plus|minus|times) \d|"
    r"\bfactorial\b|\baverage of\b|\bpromedio de\b|\bmedia de\b|\barea of\b|\barea de\b"
)
REFUSAL = re.compile(
    r"\b(i('m| am) (sorry|unable|not able|not sure|afraid)|i (can(no|')t|can not|do(n't| not) "
    r"(know|have|see)|could(n't| not)|won't|cannot)|cannot (help|answer|provide)|as an ai|"
    r"not (provided|given|mentioned|stated|specified|enough information|available|present)|"
    r"(could|can) you (please )?(provide|share|paste|clarify|send|give|tell)|"
    r"(please|kindly) (provide|share|paste|clarify|specify)|no (information|mention)|"
    r"lo siento|no (puedo|se|lo se|tengo|estoy segur[oa]|conozco|dispongo|hay informacion|"
    r"se menciona|"
    r"se indica|aparece|veo|es posible)|me temo|"
    r"(podrias?|puedes) (proporcionar|compartir|pegar|aclarar|enviar|darme|decirme|indicar)\w*|"
    r"como (ia|modelo de lenguaje)|disculpa|sorry|unfortunately|desafortunadamente|lamentablemente|"
    r"no existe|does ?n.t exist|there is no|there are no|no hay|unknown|desconocid[oa]|undefined)\b"
)
_LANGUAGES = {
    "en": "english|ingles",
    "es": "spanish|espanol|castellano|castilian",
    "fr": "french|frances",
    "de": "german|aleman",
    "pt": "portuguese|portugues",
    "it": "italian|italiano",
    "nl": "dutch|neerlandes|holandes",
    "ru": "russian|ruso",
    "uk": "ukrainian|ucraniano",
    "ja": "japanese|japones",
    "zh": "chinese|mandarin|chino",
    "ko": "korean|coreano",
    "ar": "arabic|arabe",
    "he": "hebrew|hebreo",
    "hi": "hindi",
    "el": "greek|griego",
    "th": "thai|tailandes",
    "la": "latin",
    "ca": "catalan",
    "pl": "polish|polaco",
    "sv": "swedish|sueco",
    "tr": "turkish|turco",
    "eu": "basque|euskera|vasco",
    "gl": "galician|gallego",
    "sw": "swahili|suajili",
    "vi": "vietnamese|vietnamita",
    "id": "indonesian|indonesio",
    "fi": "finnish|finlandes|fines",
    "no": "norwegian|noruego",
    "da": "danish|danes",
    "eo": "esperanto",
    "qu": "quechua",
    "nah": "nahuatl",
}
_MENTION = {code: re.compile(rf"\b({names})\b") for code, names in _LANGUAGES.items()}
_TARGET = {
    code: re.compile(
        rf"\b(?:(?:in|to|into) (?:plain |simple |proper |natural |formal )?(?:{names})"
        rf"|(?:en|al|a) (?:el |idioma |lengua )?(?:{names.partition('|')[2] or names}))\b"
    )
    for code, names in _LANGUAGES.items()
}
# Only an order to speak binds the whole answer; "how do you say it in French" may be explained.
_CLAUSE = re.compile(r"[.:;,?!\n]")
_SPEAK = re.compile(
    r"\b(translat\w+|traduc\w+|traduzc\w+|answer|respond|reply|write|say|speak|talk|tell|explain|"
    r"describe|summari[sz]e|rewrite|convert|give|list|make|create|generate|compose|draft|"
    r"responde\w*|contesta\w*|escrib\w+|di(me)?|habla\w*|cuenta\w*|explica\w*|describ\w+|resum\w+|"
    r"reescrib\w+|dame|haz\w*|crea|genera|redacta\w*|compon)\b|^(in|en) \w+\b|\b(in|en) \w+$"
)
_ASIDE = re.compile(
    r"\b(how (do|would|can|to)|como (se|digo|puedo)|what|que (es|significa|quiere)|y explica\w*|"
    r"and explain|mean(s|ing)?|significa\w*|tips?|grammar|gramatica|recommend|book|movie|word for|"
    r"words in|palabras? en|examples?|ejemplos?|teach|ensena\w*|phrases|frases)\b"
)


def mentioned_languages(folded: str) -> set[str]:
    """Codes of the languages that a folded text names."""
    return {code for code, pattern in _MENTION.items() if pattern.search(folded)}


def target_languages(folded: str) -> set[str]:
    """Codes of the languages that a folded instruction orders the whole answer in."""
    clauses = [
        clause
        for clause in _CLAUSE.split(folded)
        if _SPEAK.search(clause) and not _ASIDE.search(clause)
    ]
    return {
        code for code, pattern in _TARGET.items() if any(pattern.search(part) for part in clauses)
    }
