"""Not language at all: wrong decoding, random characters, tokens of the chat template."""

import re

from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.folding import fold
from actors.validator.intent import MATH, REPEAT

TEMPLATE_TOKEN = re.compile(
    r"<\|[a-z_0-9]{2,24}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:pad|unk|bos|eos|mask)>|"
    r"<(?:start|end)_of_turn>|\[(?:PAD|UNK|CLS|SEP|MASK)\]|^#{2,3} (?:Instruction|Response|Human|"
    r"Assistant):",
    re.MULTILINE,
)
_TOKENS_ASKED = re.compile(
    r"token|template|plantilla|<\||\[inst|<s>|</s>|prompt format|chatml|special|html|strikethrough|"
    r"bert|instruction:|tags?\b|etiqueta"
)
_MOJIBAKE = re.compile(
    r"Ã[\u0080-\u00bf\u0192\u2018-\u203a\u0160\u0178]|ï¿½|â€[™œ\u009d\u009c\u0099“”¦\u201d˜\u2122]?|"
    r"Â[¿¡°´«»\u00a0]|ï»¿|Ð[\u0080-\u00bf]Ñ?"
)
_ENCODING_ASKED = re.compile(r"mojibake|encod|unicode|utf|latin-?1|codific|replacement char")
_LETTER = re.compile(r"[^\W\d_]")
_LATIN_WORD = re.compile(r"\b[a-zA-Z]{4,40}\b")
_VOWEL = re.compile(r"[aeiouyAEIOUY]")
_NOISE_TOKEN = re.compile(
    r"(?<![\w/+.:-])(?=[A-Za-z0-9+/]*\d)(?=[A-Za-z0-9+/]*[A-Za-z])[A-Za-z0-9+/]{24,}={0,2}(?![\w/])"
)
_NOISE_ASKED = re.compile(
    r"base ?64|hash|sha|md5|hex|uuid|token|password|contrasena|clave|key|encod|decod|encrypt|cifr|"
    r"codif|fen\b|notation|notacion|serial|plate|matricula|keyboard|teclado|gibberish|ipv6|"
    r"random|aleator|url|id\b|binary|binario|jwt|string|dna|adn|cipher|rot13|caesar|cesar|regex"
)
_SYMBOL = re.compile(r"[^\w\s.,;:!?¿¡'\"()\-–—’‘“”«»…|*#/]")
_SYMBOLS_ASKED = re.compile(
    r"ascii|emoji|symbol|simbolo|art\b|arte|regex|expresion regular|punctuation|draw|dibuja|"
    r"pattern|"
    r"emoticon|operator|chess|ajedrez|formula|equation|ecuacion|math|latex|smiley|morse|braille"
)
# Letter pairs (first, then any of these) met less than once in 250,000 in European languages.
_RARE_PAIRS = re.compile(
    "b[fgkqwx]|c[jvwxz]|d[qxz]|f[bdghjkmnpqvxz]|g[jkqvxz]|h[gjqvxz]|j[bcfghjklmnpqtvxyz]|k[jxz]|"
    "l[jqxz]|m[dghjkqvz]|p[jnqvxz]|q[bcdefghijmnopqtvwxyz]|s[jxz]|t[jqx]|u[qw]|"
    "v[bcfghjkmnpqstvwxz]|w[gkquvxz]|x[bdfgjklmnrsvwxz]|y[jkqvxy]|z[cdfhjknpqrvwx]"
)
# Four neighbours on a keyboard that begin no common word.
_KEY_RUN = re.compile(
    "asdf|sdfg|dfgh|fghj|ghjk|hjkl|jkln|lkjh|kjhg|fdsa|qwer|uiop|poiu|iuyt|ytre|rewq|zxcv|xcvb|cvbn|"
    "vbnm|mnbv|zmxn|qpwo|qazw|wsxe"
)
_MIN_MASHED_SHARE = 0.4
_HEX_DUMP = re.compile(r"\b(?=[0-9 :]{0,40}[a-f])(?:[0-9a-f]{2}[ :]){8}")
_MIXED_TOKEN = re.compile(r"(?<![\w.:/-])(?=\w*\d)(?=\w*[a-z])\w{4,}(?![\w.:/-])")
_MIN_MIXED_TOKENS = 5
_MIN_MIXED_SHARE = 0.6
_LATEX = re.compile(r"\\[a-z]{3,}")
_MIN_SYMBOL_CHARS = 12
_MAX_SYMBOL_SHARE = 0.35
_MIN_NOISE_WORDS = 3
_SCRIPT_WORDS = (
    re.compile(r"[A-Za-z\u00c0-\u024f]"),
    re.compile(r"[\u0400-\u04ff]"),
    re.compile(r"[\u4e00-\u9fff\u3040-\u30ff]"),
    re.compile(r"[\uac00-\ud7af]"),
    re.compile(r"[\u0600-\u06ff]"),
    re.compile(r"[\u0900-\u097f]"),
    re.compile(r"[\u0e00-\u0e7f]"),
    re.compile(r"[\u0590-\u05ff]"),
)
_SCRIPTS_ASKED = re.compile(
    r"language|idioma|script|alphabet|alfabeto|translat|traduc|hello in|hola en"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MIN_TOKENS = 8
_MIN_STRANGE_SHARE = 0.5
_ADDRESS = re.compile(r"://|^www\.|\w@\w")
_STRONG = 90


def find_garbage(exchange: Exchange) -> Finding | None:
    """The output cannot be meant for a reader."""
    if not exchange.output:
        return None
    detail = (
        _leaked_token(exchange)
        or _wrong_decoding(exchange)
        or _noise_token(exchange)
        or _symbols(exchange)
        or _no_letters(exchange)
        or _strange_tokens(exchange)
        or _unpronounceable(exchange)
        or _mashed(exchange)
        or _mixed_scripts(exchange)
    )
    return Finding(FindingName.GARBAGE, detail, _STRONG) if detail else None


def _asks(exchange: Exchange, pattern: re.Pattern[str]) -> bool:
    return pattern.search(exchange.prompt.lower()) is not None


def _leaked_token(exchange: Exchange) -> str | None:
    found = TEMPLATE_TOKEN.search(exchange.prose)
    if found and not _asks(exchange, _TOKENS_ASKED):
        return f"{found[0][:40]!r} of the chat template is in the text."
    return None


def _wrong_decoding(exchange: Exchange) -> str | None:
    if _asks(exchange, _ENCODING_ASKED) or "\ufffd" in exchange.prompt:
        return None
    if exchange.text.count("\ufffd") >= 2:  # noqa: PLR2004
        return "The text has replacement characters."
    if len(_CONTROL.findall(exchange.text)) >= 2:  # noqa: PLR2004
        return "The text has control characters."
    if _MOJIBAKE.search(exchange.prose) and not _MOJIBAKE.search(exchange.prompt):
        return "The text was decoded with the wrong encoding."
    return None


def _noise_token(exchange: Exchange) -> str | None:
    if exchange.wants_code or exchange.task_type == "code" or _asks(exchange, _NOISE_ASKED):
        return None
    noise = sum(len(found) for found in _NOISE_TOKEN.findall(exchange.prose))
    mixed = len(_MIXED_TOKEN.findall(exchange.prose))
    if _HEX_DUMP.search(exchange.prose):
        return "The text is a row of hexadecimal bytes."
    if noise > len(exchange.text) * 0.4 or (
        mixed >= _MIN_MIXED_TOKENS and mixed >= len(exchange.prose.split()) * _MIN_MIXED_SHARE
    ):
        return "The text is an encoded or random string."
    return None


def _symbols(exchange: Exchange) -> str | None:
    text = "".join(exchange.prose.split())
    if len(text) < _MIN_SYMBOL_CHARS or exchange.wants_json or exchange.wants_code:
        return None
    if _asks(exchange, _SYMBOLS_ASKED):
        return None
    if exchange.task_type in {"code", "math"} and any(char.isalnum() for char in text):
        return None
    if exchange.intent.asks(MATH) or _LATEX.search(text):
        return None
    num_symbols = len(_SYMBOL.findall(text))
    if num_symbols > len(text) * _MAX_SYMBOL_SHARE and not _is_emoji(text):
        return "Most of the text is symbols."
    return None


def _no_letters(exchange: Exchange) -> str | None:
    """Rows of punctuation, which ``_symbols`` does not count."""
    text = "".join(exchange.text.split())
    if len(text) < _MIN_SYMBOL_CHARS or any(char.isalnum() for char in text):
        return None
    if not text.isascii() or exchange.wants_code or exchange.task_type == "code":
        return None
    if _asks(exchange, _SYMBOLS_ASKED) or exchange.intent.asks(REPEAT):
        return None
    return "The text has no letters and no digits."


def _strange_tokens(exchange: Exchange) -> str | None:
    """Half of what stands between blanks is no word, number, or sign a sentence has."""
    if exchange.wants_json or exchange.wants_code or exchange.task_type in {"code", "math"}:
        return None
    if (
        exchange.intent.asks(MATH)
        or _asks(exchange, _SYMBOLS_ASKED)
        or _LATEX.search(exchange.prose)
    ):
        return None
    if _asks(exchange, _NOISE_ASKED) or "|---" in exchange.prose or "| -" in exchange.prose:
        return None
    tokens = exchange.prose.split()
    strange = sum(_is_strange(token) for token in tokens)
    if len(tokens) < _MIN_TOKENS or strange < len(tokens) * _MIN_STRANGE_SHARE:
        return None
    return "Most of the text is neither words nor numbers."


def _is_strange(token: str) -> bool:
    if _ADDRESS.search(token) or not token.isascii():
        return False
    core = token.strip(".,;:!?()\"'*-")
    if not core:
        return len(token) > 1 and token[0] not in "-*.!?"
    num_symbols = len(_SYMBOL.findall(core))
    if num_symbols and not any(char.isalnum() for char in core):
        return True
    if num_symbols > 1 or ";;" in token or "!!" in core:
        return True
    return len(core) > 1 and core.isalpha() and core.islower() and not _VOWEL.search(core)


def _is_emoji(text: str) -> bool:
    num_emoji = sum(char >= "\u2190" for char in text)
    return num_emoji > len(_SYMBOL.findall(text)) * 0.5


def _unpronounceable(exchange: Exchange) -> str | None:
    if exchange.wants_code or exchange.task_type == "code" or _asks(exchange, _NOISE_ASKED):
        return None
    words = [word for word in _LATIN_WORD.findall(exchange.prose) if not word.isupper()]
    if len(words) < _MIN_NOISE_WORDS:
        return None
    bad = sum(not _VOWEL.search(word) for word in words)
    if bad >= len(words) * 0.4:
        return "The words cannot be pronounced."
    return None


def _mashed(exchange: Exchange) -> str | None:
    if exchange.wants_code or exchange.task_type == "code" or _asks(exchange, _NOISE_ASKED):
        return None
    words = [word for word in _LATIN_WORD.findall(fold(exchange.prose)) if len(word) > 3]  # noqa: PLR2004
    if len(words) < _MIN_NOISE_WORDS:
        return None
    bad = sum(bool(_RARE_PAIRS.search(word) or _KEY_RUN.search(word)) for word in words)
    return "The words are random letters." if bad >= len(words) * _MIN_MASHED_SHARE else None


def _mixed_scripts(exchange: Exchange) -> str | None:
    if _asks(exchange, _SCRIPTS_ASKED) or exchange.wants_json:
        return None
    present = sum(len(script.findall(exchange.prose)) >= 2 for script in _SCRIPT_WORDS)  # noqa: PLR2004
    return "Words of many scripts are mixed." if present >= 4 else None  # noqa: PLR2004
