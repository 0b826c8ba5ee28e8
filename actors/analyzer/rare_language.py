"""European and other Latin-script languages that few prompts are in, told by their common words.

They have no learnt profile: a handful of their own words and letters must be there, and the
learnt profiles must be in doubt.
"""

from typing import Final

_COMMON: Final = {
    "pl": """jak się co jest to nie czy gdzie kiedy dlaczego ile kto masz jestem proszę napisz
        przetłumacz na dla z do w mi cześć dzień dobry dziękuję jaka jaki jaką o wiersz który
        która po wyjaśnij oblicz mam tego ten moje oraz""",
    "sv": """jag är och det att inte vad hur en ett på för med du mig som av till hej tack skriv
        var varför när vem min har kan från om mår översätt vilken vilket huvudstaden""",
    "da": """jeg er og det at ikke hvad hvordan en et på for med du mig som af til hej tak skriv
        hvor hvorfor hvornår hvem min har kan fra om oversæt hvilken hovedstaden""",
    "no": """jeg er og det å ikke hva hvordan en et på for med du meg som av til hei takk skriv
        hvor hvorfor når hvem min har kan fra om oversett hvilken hovedstaden""",
    "fi": """minä olen ja on ei mitä miten mikä missä milloin miksi kuka kirjoita kuuluu hei moi
        kiitos minun että kuinka käännä se tämä voitko suomen pääkaupunki olla paljonko""",
    "tr": """bir ve bu ne nasıl nedir neden nerede kim kaç için ile bana mısın merhaba teşekkür
        yaz çevir değil çok var yok ben sen mi mı hangi günaydın açıkla başkenti nin""",
    "cs": """jak je co to se na v do že kde kdy proč kolik kdo jsem máš prosím napiš přelož jaké
        jaký jaká ahoj dobrý den děkuji pro nebo není vysvětli město hlavní""",
    "ro": """este și care ce cum unde când de la un o să nu în pe cu pentru sunt ești scrie tradu
        bună salut mulțumesc cât cine mi îmi vă rog capitala explică""",
    "hu": """hogyan mi az a és nem hol mikor miért ki vagy van egy írj fordítsd szia köszönöm
        mennyi hogy kell lehet magyarország fővárosa mit meg""",
    "id": """apa yang dan di ke dari adalah ini itu bagaimana mengapa kapan siapa tidak saya
        kamu berapa tolong buat tulis terjemahkan halo kabar terima kasih untuk jelaskan
        mana ibu kota""",
    "vi": """là của gì và không tôi bạn ở có như thế nào tại sao viết dịch xin chào cho các một
        những được khi ai đâu hãy bao nhiêu""",
}
COMMON_WORDS: Final = {code: frozenset(text.split()) for code, text in _COMMON.items()}
# Letters that none of the languages with a profile writes.
_LETTERS: Final = {
    "pl": "ąęłśźżćń",
    "sv": "å",
    "da": "æø",
    "no": "æø",
    "tr": "ışğ",
    "cs": "řěůčšž",
    "ro": "șțăşţ",
    "hu": "őű",
    "vi": "ơưđạảấầẩậắằặẹẻẽếềểệỉịọỏốồổộớờởợụủứừửựỳỵ",
}
_MIN_SHARE: Final = 0.4
_MAX_SHORT_WORDS: Final = 3
# One letter of the language's own says as much as half a word.
_LETTER_HIT: Final = 0.5


def find_rare_language(words: list[str], others: frozenset[str]) -> str | None:
    """The language that enough of ``words`` belong to; ``others`` are words known elsewhere.

    A word that is common in a language with a profile too says nothing here.
    """
    best: str | None = None
    best_hits = 0.0
    for code, common in COMMON_WORDS.items():
        letters = _LETTERS.get(code, "")
        own = [word for word in words if word in common]
        hits = float(len(own))
        hits += _LETTER_HIT * sum(any(char in letters for char in word) for word in words)
        if hits > best_hits and any(
            word not in others or any(char in letters for char in word) for word in own
        ):
            best, best_hits = code, hits
    enough = 1.0 if len(words) <= _MAX_SHORT_WORDS else max(1.5, len(words) * _MIN_SHARE)
    return best if best_hits >= enough else None
