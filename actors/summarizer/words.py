"""Words that carry a text's matter, and those that only hold it together."""

import re
import unicodedata
from typing import Final

WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

_FUNCTION_WORDS: Final = """a an the and or but nor so if then than as at by for from in into of off
    on onto out over to up with without within about above after before between during through
    under until upon is are was were be been being am do does did have has had having can could will
    would shall should may might must it its it's this that these those there here i me my mine we
    us our ours you your yours he him his she her hers they them their theirs who whom whose which
    what when where why how not no yes also just very more most some any each every all both such
    only own same too
    el la los las un una unos unas lo y o u e ni que de del al a ante bajo con contra desde durante
    en entre hacia hasta mediante para por según sin sobre tras es son era eran fue fueron ser sido
    siendo soy eres somos está están estaba estoy estar hay ha han he haber había tiene tienen tener
    puede pueden poder me te se nos os le les mi mis tu tus su sus nuestro nuestra este esta esto
    estos estas ese esa eso esos esas aquel aquella quien cual cuales cuyo cuando donde como qué
    cómo cuál cuándo dónde quién no sí si ya muy más menos también sólo solo pero porque aunque
    mientras pues cada todo toda todos todas otro otra otros otras"""
FUNCTION_WORDS: Final = frozenset(_FUNCTION_WORDS.split())


def fold_word(word: str) -> str:
    """The form in which words are counted: lower case, composed."""
    return unicodedata.normalize("NFC", word).casefold().replace("’", "'")


def content_words(text: str) -> list[str]:
    """The words of ``text`` that carry its matter, folded, in order."""
    words = (fold_word(found.group()) for found in WORD.finditer(text))
    return [word for word in words if word not in FUNCTION_WORDS and len(word) > 1]
