"""Signs of a task type that a person would name: verbs, question words, symbols.

A cue's name is ``<task type>.<what it is>``. Patterns run over folded text (lower case, no
accents) of bounded length, and have no nested repetition, so that matching is linear.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from actors.analyzer.excerpt import Excerpt, fold
from actors.analyzer.names import LANGUAGE_CODES

_LANGUAGES: Final = "|".join(LANGUAGE_CODES)
_PROGRAMMING: Final = (
    r"python\d?|javascript|typescript|java|c\+\+|c#|golang|rust|kotlin|swift|ruby|php|sql|mysql"
    r"|postgres\w*|sqlite|mongodb|html|css|bash|shell|powershell|perl|haskell|scala|matlab|react"
    r"|vue|angular|svelte|node(?:\.?js)?|django|flask|fastapi|spring|express|pandas|numpy|pytorch"
    r"|regex\w*|regexp|git|docker\w*|kubernetes|kubectl|yaml|terraform|ansible|nginx|api|endpoint"
    r"|json schema|unix|linux command|makefile|cron\w*|awk|sed|latex|excel formula|vba|jquery|npm"
    r"|pip|webpack|tailwind|graphql|websocket\w*|flexbox|div|css grid|bootstrap"
    r"|(?:in|en|lenguaje) (?:c|r|go)"
)
_CODE_NOUN: Final = (
    r"function|funcion|method|metodo|class|clase|code|codigo|script|snippet|query|consulta sql"
    r"|algorithm\w*|algoritmo|program|programa|unit tests?|test unitarios?|tests?|loop|bucle"
    r"|array|arreglo|string|cadena|variable|compil\w+|bug|stack ?trace|traceback|exception"
    r"|excepcion|endpoint|one-?liner|component\w*|decorator|decorador|commit|branch|pull request"
    r"|linked list|lista enlazada|binary tree|hash ?map|dataframe|segfault|recursi\w+|struct"
    r"|stored procedure"
    r"|time complexity|big-?o|complejidad (?:temporal|espacial)|async\w*|await|heap\w*|hash\w*"
    r"|(?:quick|merge|bubble)sort|promises?|callback\w*|mutex|deadlock|oop"
    r"|dockerfile|webpage|pagina web|landing|crud|framework|librar(?:y|ies)"
)
_WRITE_VERB: Final = (
    r"write|draft|compose|pen|invent|craft|come up with|brainstorm|narrate|escrib\w+|redact\w+"
    r"|compon(?:me)?|inventa\w*|elabora\w*|imagina|crea(?:me|r)?|create|generate|genera(?:me|r)?"
    r"|dame ideas|give me (?:some |a few |\w+ )?ideas|hazme|haz|make up|prepare|prepara\w*"
)
_ARTEFACT: Final = (
    r"poem\w*|poema\w*|story|stories|cuento\w*|historia|relato\w*|essay|ensayo|e-?mail|correo|mail"
    r"|letter|carta|speech|discurso|toast|brindis|slogan\w*|eslogan\w*|lema|tagline\w*|haiku\w*"
    r"|song|cancion|lyrics|letra|joke|chiste|limerick|sonnet|soneto|blog|post|tweet\w*|tuit\w*"
    r"|caption\w*|article|articulo|description|descripcion|review|resena|bio|biografia|cover letter"
    r"|press release|nota de prensa|advert\w*|anuncio|ad|invitation|invitacion|message|mensaje"
    r"|greeting|felicitacion|note|nota|dialogue|dialogo|scene|escena|script|guion|monologue"
    r"|monologo|headline\w*|titular\w*|titulo\w*|title\w*|names? for|nombres? para|recommendation"
    r"|resignation|apology|disculpa\w*|complaint|queja|reclamacion|proposal|propuesta|newsletter"
    r"|fable|fabula|rhyme\w*|rima\w*|verso\w*|paragraph|parrafo|riddle|adivinanza|obituary|eulogy"
    r"|vows|votos|tongue twister|trabalenguas|fairy tale|legend|leyenda|lullaby|nana|copla"
)

_TABLE: Final[dict[str, str]] = {
    "translate.verb": r"\b(?:translat\w*|traduc\w*|traduzc\w*|traslat\w*|traduz\w*)",
    "translate.say": r"\bhow (?:do|would|can|could|should|to|does) .{0,25}\b(?:say|write|spell)\b"
    r"|\bcomo (?:se |le |les |te |lo |os |puedo |podria )?(?:dice|diria|digo|dirias|dicen|dirian"
    r"|decir)\b",
    "translate.into": rf"\b(?:in|into|to|from|al|en|a|del|de|para el|hacia el) (?:the )?"
    rf"(?:{_LANGUAGES})\b",
    "translate.mean": r"\bwhat (?:does|do|is the meaning of) .{0,60}\bmean\b|\bque (?:significa|"
    r"quiere decir)\b|\bsignificado de\b|\b(?:word|palabra|term|termino) (?:for|para)\b",
    "translate.language": rf"\b(?:{_LANGUAGES})\b",
    "translate.put": r"\b(?:put|turn|render|pasa\w*|pon\w*|vierte|convert\w*)\b"
    rf".{{0,60}}\b(?:in|into|to|al|en)\b.{{0,12}}\b(?:{_LANGUAGES})\b",
    "summarize.verb": r"\b(?:summar\w+|tl;? ?dr|resum(?:e|en|ir|a|o|as|es|iendo|ido|ida)\w*"
    r"|sintetiz\w+|sintetic\w+|sintesis|condens\w+|shorten\w*|acort\w+|abrevi\w+|recap\w*"
    r"|sum(?:ming)? (?:\w+ ){0,2}up|boil\w* .{0,20}down|esquematiza\w*|simplify to)\b",
    "summarize.points": r"\b(?:key|main|most important|central|essential) (?:points?|takeaways?"
    r"|ideas?|messages?|findings?|facts?|arguments?)\b|\b(?:ideas?|puntos?|claves?|conclusion\w*)"
    r" (?:principal\w*|clave\w*|mas important\w*|esencial\w*|central\w*|fundamental\w*)\b"
    r"|\btakeaways?\b|\blo (?:mas )?(?:importante|esencial|principal|fundamental)\b"
    r"|\bthe essentials\b",
    "summarize.short": r"\b(?:gist|in a nutshell|short(?:er)? version|version (?:corta|breve"
    r"|reducida|abreviada)|en pocas palabras|in (?:a )?few words|in brief|brief overview|abstract"
    r"|de que (?:va|trata)|too long|en breve|essence|esencia|main idea|idea (?:principal|general))",
    "extract.verb": r"\b(?:extract\w*|extra(?:e|er|eme|iga|igas|ccion)\w*|pull (?:out )?"
    r"|pars(?:e|ing)|identif(?:y|ica\w*|icar|iques?)|saca(?:me|r|d)?|obten\w*|localiza\w*|pick out"
    r"|detect\w*|tag|etiqueta\w*|clasific\w+|classify|recopila\w*|retrieve|recupera"
    r"|collect|enumera\w*|senala\w*|highlight|spot)\b",
    "extract.list": r"\b(?:list|find|give me|get|show|lista\w*|busca\w*|encuentra\w*|dime|dame"
    r"|indica\w*|return|devuelve\w*|name|que|which|what|cuales|quien|who|where|donde)\b.{0,60}"
    r"\b(?:mention\w*|menciona\w*|appear\w*|aparec\w+|in th(?:e|is) (?:\w+ )?(?:text|passage|"
    r"paragraph|article|message|sentence|email|note|document|review|log|invoice|ad|report|post)"
    r"|del? (?:siguiente |este |esta )?(?:texto|parrafo|mensaje|correo|frase|articulo|documento"
    r"|noticia|factura|contrato|anuncio|ticket|listado|informe)|named|listed|citad\w+"
    r"|nombrad\w+|found in|from (?:the|this)|en (?:el|este|esta|la|los) (?:siguiente )?(?:texto"
    r"|parrafo|mensaje|correo|frase|articulo|documento|noticia|receta|resena))\b",
    "extract.field": r"\b(?:names?|nombres?|dates?|fechas?|e-?mails?|correos|phone|telefonos?"
    r"|address(?:es)?|direccion\w*|entities|entidades|fields?|campos?|amounts?|importes?|prices?"
    r"|precios?|cities|ciudades|lugares|places|locations|people|personas?|companies|empresas"
    r"|organi[sz]a\w+|urls?|links|enlaces|hashtags?|keywords?|palabras clave|ingredient\w*"
    r"|order number|numeros? de|figures|cifras|quantities|cantidades|skills|values?|datos)\b",
    "extract.shape": r"\b(?:json|csv|key[- ]value|clave[- ]valor|as a table|en una tabla"
    r"|columns)\b",
    "extract.source": r"\b(?:from (?:the|this|that|these) (?:\w+ )?(?:text|passage|paragraph"
    r"|article|message|sentence|email|note|document|review|log|invoice|receipt|report|post|ad)"
    r"|(?:text|passage|below|following)|(?:siguiente|este|esta|texto|parrafo|de aqui))\b",
    "write.verb": rf"\b(?:{_WRITE_VERB})\b",
    "write.artefact": rf"\b(?:{_ARTEFACT})\b",
    "write.compose": rf"\b(?:{_WRITE_VERB}|need|want|necesito|quiero|give|dame|tell|cuentame"
    rf"|help|ayud\w+|make|do)\b.{{0,50}}\b(?:{_ARTEFACT})\b",
    "write.transform": r"\b(?:re-?writ\w+|rephras\w+|paraphras\w+|reword\w*|proofread\w*|polish"
    r"|reescrib\w+|reformul\w+|parafrase\w+|correct (?:the|this|my)|corrig\w+|corrige\w*|mejora\w*"
    r"|improve|edit|fix (?:the |my )?(?:grammar|spelling|punctuation|typos)|expand|amplia\w*"
    r"|continu[ea]|finish|complete|completa|termina|embellish|redacta\w*|ortograf\w+|gramatic\w*"
    r"|grammar|spelling|puntuacion)\b",
    "write.case": r"\b(?:upper|lower|title) ?-?case|\bmayuscul\w+|\bminuscul\w+|\bcapital letters"
    r"|\bcapitali[sz]e|\breverse (?:the )?(?:word|string|letters)|\bal reves\b|\bbackwards\b",
    "write.tone": r"\b(?:(?:more|mas|less|menos|sound|suene|tono|tone|estilo|style) (?:\w+ )?(?:"
    r"formal|informal|friendly|amable|polite|educad\w|professional|profesional|casual|cercan\w"
    r"|natural|natur\w+|persuasi\w+|convincing|concise|elegant\w*))\b",
    "code.noun": rf"\b(?:{_CODE_NOUN})\b",
    "code.language": rf"(?<![\w.])(?:{_PROGRAMMING})(?![\w'])",
    "code.error": r"\b\w*(?:error|exception)\b:|\btraceback\b|\bsegmentation fault\b"
    r"|\bnull ?pointer"
    r"|\bundefined\b|\bnot defined\b|\bno module named\b|\bcompile\w*\b|\bsyntax ?error|\bdebug",
    "code.fix": r"\b(?:debug\w*|refactor\w*|implement\w*|optimi[sz]\w*|program\w*|code|deploy"
    r"|depur\w+|arregla\w*|fix)\b",
    "code.explain": r"\bwhat does (?:this|the following) .{0,20}(?:do|print|return|output)\b"
    r"|\bque (?:hace|imprime|devuelve) (?:este|esta|el|la)\b|\bcode review\b",
    "math.verb": r"\b(?:calculat\w*|calcul(?:a|ar|ame|e|es|o)|comput(?:e|a)|solve|resuelve\w*"
    r"|resolver|simplif(?:y|ica\w*)|factor(?:i[sz]e|iza\w*)?|evalua(?:te|r)?|integra(?:te|r)?"
    r"|differentiate|deriva(?:r)?|halla\w*|despeja\w*|add|subtract|multiply|divide|suma|resta"
    r"|multiplica|round|redondea|prove that|demuestra|convert|convierte|work out)\b",
    "math.noun": r"\b(?:equation|ecuacion\w*|derivative|derivada|integral|square root"
    r"|raiz(?: cuadrada| cubica)?|probabilit\w+|probabilidad|percent\w*|porcentaje|por ciento"
    r"|average|mean of|promedio|media (?:de|aritmetica)|area|perimet\w+|volume|volumen|radius|radio"
    r"|triangle|triangulo|circle|circulo|rectangle|rectangulo|prime|primo|factorial|logarithm\w*"
    r"|logaritmo|matrix|matriz|determinant\w*|limit|limite|sum of|suma de|product of|median"
    r"|mediana|standard deviation|desviacion|hypotenuse|hipotenusa|fraction|fraccion|decimal"
    r"|binary|binario|hexadecimal|discount|descuento|interest|interes|ratio|polynomial|polinomio"
    r"|gcd|lcm|mcm|mcd|minimo comun|maximo comun|vector\w*|eigenvalue\w*|sine|cosine|seno|coseno"
    r"|remainder|resto de|divisible|angle|angulo|factors? of|tip|propina|modulo|squared|cubed)\b",
    "math.times": r"\b\d[\d.,]* ?(?:times|por|plus|mas|minus|menos|divided by|dividido|entre|over"
    r"|multiplied by|multiplicado|to the power|elevado|mod|x) ?\(?-?\d",
    "math.operator": r"[\d)a-z] ?[-+*/^=×÷−] ?\(?-?[\da-z(]\S{0,20}",
    "math.expression": r"\d\)? ?[-+*/^=×÷%−] ?\(?-?\d|\d ?[a-z]\b ?[-+*/^=]|\b[xyz] ?[-+*/^=²³]"
    r"|=\s*-?\d|[√∫∑π²³≤≥]|\bsqrt\b|\bf\(x\)|\b(?:sin|cos|tan|ln|log|sen)\(?\b",
    "math.percent": r"\d ?%|\bpercent\b|\bpor ciento\b",
    "math.howmany": r"\b(?:how (?:many|much|far|fast|long|old|tall)|cuant[oa]s?|a que hora"
    r"|what time)\b",
    "math.unit": r"\b(?:km|kilomet\w+|miles?|millas?|met(?:er|re|ro)s?|feet|foot|pies|inch\w*"
    r"|pulgadas?|kg|kilos?|grams?|gramos|pounds?|libras?|ounces?|onzas?|lit(?:er|re|ro)s?|gallons?"
    r"|galones|hours?|horas?|minut\w+|seconds?|segundos|degrees|grados|fahrenheit|celsius|mph"
    r"|km/h|dollars?|euros?|cents|centimos|cm|mm|hectares?|acres?)\b",
    "question.wh": r"^\W*(?:(?:and|y|so|pero|but|oye|hey|hi|hello|hola|please|por favor|ok"
    r"|buenas)\W+){0,2}"
    r"(?:what|who|whom|whose|where|when|why|which|how|que|quien(?:es)?|donde|cuando|por ?que"
    r"|cual(?:es)?|como|cuant[oa]s?|a que|de que|en que|para que|con que|desde cuando|adonde"
    r"|hasta)\b",
    "question.explain": r"\b(?:explain\w*|explica\w*|explique\w*|describ\w+|tell me (?:about|why"
    r"|how|what)|hablame|cuentame (?:sobre|de|que|como|la)|define|compare|compara\w*|difference"
    r"|diferencias?|pros and cons|ventajas|desventajas|advice|consejos?|recom\w+|recomiend\w+"
    r"|suggest|sugi\w+|best way|mejor (?:manera|forma)|meaning of|steps to|pasos para|how to"
    r"|tips|teach me|ensename|what is|what are|que es|que son|history of|historia de|origin"
    r"|should i|deberia|is it|are there|es verdad|is there|existe|hay que|does it|aconsej\w+)\b",
    "question.aux": r"^\W*(?:is|are|do|does|did|can|could|should|would|will|has|have|was|were|es"
    r"|son|hay|puede[ns]?|se puede|existe[n]?|fue|era|tiene[n]?|deberia)\b",
    "question.mark": r"\?\W*$",
    "chat.greeting": r"^\W*(?:hi+|hey+|hello+|yo|sup|howdy|hola+|holi\w*|buen[oa]s"
    r"|good (?:morning|afternoon|evening|night)|greetings|que tal|what'?s up|wassup|saludos|ey|ola"
    r"|bye\w*|goodbye|adios|hasta (?:luego|manana|pronto)|see (?:you|ya)|chao|chau|ciao|morning"
    r"|nice to meet you|encantad[oa]|mucho gusto|happy (?:birthday|new year)|feliz)\b",
    "chat.thanks": r"\b(?:thanks?|thx|ty|thank you|gracias|cheers|appreciate|agradec\w+|sorry"
    r"|perdon\w*|disculpa|lo siento|you'?re (?:welcome|great|awesome|the best)|de nada|well done"
    r"|genial|eres (?:un|una|el|la|muy|lo)|good (?:bot|job)|vale|okay|ok|cool|nice|lol|haha\w*"
    r"|jaja\w*|great|perfect\w*|awesome|wow|guay)\b",
    "chat.self": r"\b(?:who are you|what are you|are you|do you (?:like|have|feel|think|ever|dream"
    r"|know me|sleep|love|want|believe|get|remember|enjoy|prefer)|your (?:name|favou?rite|day"
    r"|opinion|birthday|creator|age)|can you feel|quien eres|que eres|eres|tienes|te (?:gusta\w*"
    r"|llamas|sientes|aburres|cansas|acuerdas)|tu (?:nombre|favorit\w+|dia|opinion|color|cumple\w*)"
    r"|como (?:estas|te (?:va|llamas|sientes|encuentras)|andas|vas|has)|how are you|how'?s it going"
    r"|how is your|how'?s your|how have you|que haces|que cuentas|who made you|quien te)\b",
    "chat.feeling": r"\b(?:i(?:'m| am| feel| was|'ve been| have been| think i| just|m)|my|estoy"
    r"|me siento|me (?:duele|da|encuentro|aburro|han|ha)|tengo (?:miedo|sueno|hambre|ganas|un dia"
    r"|mucho)|ando|hoy (?:he|ha|es|fue|me)|he tenido)\b.{0,60}\b(?:sad|tired|bored|happy|lonely"
    r"|stressed|nervous|anxious|excited|exhausted|depressed|worried|angry|upset|scared|proud|day"
    r"|down|sick|hungry|sleepy|died|broke|lost|trist\w+|cansad\w+|aburr\w+|feliz|content\w+|sol[oa]"
    r"|estresad\w+|nervios\w*|agobiad\w+|ansios\w+|preocupad\w+|enfadad\w+|dia|mal|fatal|bien"
    r"|ilusion\w*|emocionad\w+|asustad\w+|deprimid\w+|muert[oa]|harto|harta)\b",
    "chat.talk": r"\b(?:talk to me|chat (?:with|for)|let'?s (?:talk|chat)|wanna (?:talk|chat)"
    r"|keep me company|charla\w*|habl(?:ar|amos|emos) (?:un|con|de)|hazme compania|platic\w+"
    r"|tell me (?:a joke|something|about your)|cuentame (?:un chiste|algo)|just wanted to"
    r"|need to vent|desahog\w+|conversar|hacerme compania)\b",
}


class Cue(NamedTuple):
    """One named sign and the pattern that shows it."""

    name: str
    pattern: re.Pattern[str]


CUES: Final = tuple(Cue(name, re.compile(pattern)) for name, pattern in _TABLE.items())

_ERROR: Final = re.compile(
    r"(?:error|exception)\b:|\btraceback\b|\bis not (?:a function|defined|iterable|callable)"
    r"|\bcannot (?:read|find|import|be cast)\b|\bno module named\b|\bcommand not found\b"
    r"|\bpermission denied\b|\bsyntax ?error\b|\bsegmentation fault\b|\bnull ?pointer"
    r"|\bundefined (?:is|reference|variable)\b|\bexpected '.'|\bat line \d|\bstack ?overflow\b"
)
_CODE_SHAPE: Final = re.compile(
    r"[\w\])]\([^)\n]{0,60}\)\s*[{:;]|[{};]\s*(?:\n|$)|=>|==|!=|\+=|&&|\|\||::|</?\w+[^>\n]{0,40}>"
    r"|\b(?:def|function|class|public|static|void|const|let|var|import|from|return|print|elif"
    r"|#include|struct|func|fn|echo)\b[^\n]{0,40}[(){};=]|\bselect\b[^\n]{1,60}\bfrom\b"
    r"|^[ \t]{0,40}(?:def|import|from|for|if|while)\b[^\n]{1,80}:\s*$"
    r"|\w+\.\w+\(|\$\w+|^[ \t]{0,40}[#$] \w+",
    re.IGNORECASE | re.MULTILINE,
)
MAX_CODE_SHAPES: Final = 6
_CODE_SAMPLE_CHARS: Final = 700
_CODE_SIGNS: Final = re.compile(r"[(){}=<>;$#|]|\bselect\b|:\n", re.IGNORECASE)


def find_cues(folded: str) -> Iterator[str]:
    """The names of the cues that ``folded`` shows."""
    return (cue.name for cue in CUES if cue.pattern.search(folded))


def count_code_shapes(excerpt: Excerpt) -> int:
    """How often the prompt has the shape of source code, up to ``MAX_CODE_SHAPES``."""
    sample = excerpt.sample[:_CODE_SAMPLE_CHARS]
    num_found = 0
    if not _CODE_SIGNS.search(sample):
        return num_found
    for _ in _CODE_SHAPE.finditer(sample):
        num_found += 1
        if num_found == MAX_CODE_SHAPES:
            break
    return num_found


def shows_error(excerpt: Excerpt) -> bool:
    """Whether the prompt, its quotes included, carries a program's error message."""
    return _ERROR.search(fold(excerpt.sample[:_CODE_SAMPLE_CHARS])) is not None
