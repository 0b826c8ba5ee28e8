"""The tokenizer: whole common words, single digits, and letters for everything else."""

import random
from collections import Counter
from collections.abc import Container
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from training.pocket.conversation import Conversation, Conversations
from training.pocket.phrasing import Split
from training.pocket.world import World

PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
_SPECIAL = [PAD, BEGIN, END, SYSTEM, USER, ASSISTANT]
# Letters of two bytes that Spanish needs; each becomes one token, so that a letter is a token.
_LETTERS = "áéíóúñüÁÉÍÓÚÑÜ¿¡«»"
_IGNORED_LABEL = -100
# A text of unknown words is all letters; copying such long rows needs practice of its own.
_COPIED_SHARES = [0.0, 0.0, 0.1, 0.2, 0.4, 0.8]

CHAT_TEMPLATE = (
    "{{- '<|begin|>' }}\n"
    "{%- for message in messages %}\n"
    "    {{- '<|' + message['role'] + '|>' + message['content'] | trim + '<|end|>' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|assistant|>' }}\n"
    "{%- endif %}\n"
)


def _byte_level(text: str) -> str:
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return "".join(piece for piece, _ in pieces.pre_tokenize_str(text))


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _common_pieces(conversations: Conversations, world: World, seed: int) -> Counter[str]:
    rng = random.Random(seed)
    pre_tokenizer = _pre_tokenizer()
    # Names of people stay out of the vocabulary: they must be copied by letters.
    names = {
        piece.lstrip("Ġ").lower()
        for section in ("first", "last")
        for name in world.names[section].train
        for piece, _ in pre_tokenizer.pre_tokenize_str(name)
    }
    counts: Counter[str] = Counter()
    for _ in range(60_000):
        for exchange in conversations.draw(Split.TRAIN, rng).exchanges:
            texts = [exchange.prompt, *([] if exchange.is_spelled else [exchange.answer])]
            for text in texts:
                counts.update(piece for piece, _ in pre_tokenizer.pre_tokenize_str(text))
    for piece in list(counts):
        bare = piece.lstrip("Ġ")
        is_shouted = len(bare) > 1 and bare.isupper()
        if len(piece) == 1 or bare.lower() in names or is_shouted:
            del counts[piece]
    return counts


def build_tokenizer(
    conversations: Conversations, world: World, *, vocab_size: int, seed: int
) -> PreTrainedTokenizerFast:
    """A byte-level BPE whose vocabulary is the most common whole pieces of the training text.

    With ``ignore_merges`` a piece that is in the vocabulary is one token, and any other piece
    falls to its letters, since the only merges are those of the two bytes of a Spanish letter.
    A model this small can then copy, upper-case and reverse words that it has never seen.
    """
    vocab = {token: i for i, token in enumerate(_SPECIAL)}
    for symbol in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocab[symbol] = len(vocab)
    merges = []
    for letter in _LETTERS:
        first, second = list(_byte_level(letter))
        merges.append((first, second))
        vocab.setdefault(first + second, len(vocab))
    for piece, count in _common_pieces(conversations, world, seed).most_common():
        if len(vocab) >= vocab_size or count < 3:
            break
        vocab.setdefault(piece, len(vocab))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = _pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in _SPECIAL])
    wrap: type[Any] = PreTrainedTokenizerFast
    wrapped: PreTrainedTokenizerFast = wrap(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )
    return wrapped


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer saved in a folder."""
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
    return tokenizer


class Encoder:
    """Turns conversations into token ids and labels for training."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._vocab: dict[str, int] = tokenizer.get_vocab()
        self._pre_tokenizer = _pre_tokenizer()
        self._whole: dict[str, list[int]] = {}
        self._spelled: dict[str, list[int]] = {}

    def _spell(self, piece: str) -> list[int]:
        ids = []
        at = 0
        while at < len(piece):
            step = 2 if piece[at] in "ÃÂ" and piece[at : at + 2] in self._vocab else 1
            ids.append(self._vocab[piece[at : at + step]])
            at += step
        return ids

    def _pieces(self, text: str) -> list[str]:
        return [piece for piece, _ in self._pre_tokenizer.pre_tokenize_str(text)]

    def _drawn(self, text: str, share: float, rng: random.Random) -> set[str]:
        return {piece for piece in self._pieces(text) if share and rng.random() < share}

    def _text(self, text: str, spelled_pieces: Container[str]) -> list[int]:
        ids: list[int] = []
        for piece in self._pieces(text):
            spelled = self._spelled.get(piece)
            if spelled is None:
                spelled = self._spelled[piece] = self._spell(piece)
                whole = self._vocab.get(piece)
                self._whole[piece] = spelled if whole is None else [whole]
            ids += spelled if piece in spelled_pieces else self._whole[piece]
        return ids

    def encode(self, conversation: Conversation, rng: random.Random) -> tuple[list[int], list[int]]:
        """Ids and labels; only answers carry labels.

        In a share of conversations known words of the prompts are spelled by letters, which
        teaches the spelling of whole-word tokens and makes the model indifferent to case. What is
        copied is spelled as it stands in the prompt: else the model would learn to guess the known
        word that begins like an unknown one.
        """
        share = rng.choice([0.0] * 7 + [0.1, 0.1, 0.4])
        vocab = self._vocab
        ids = [vocab[BEGIN]]
        if conversation.system:
            text = self._text(conversation.system, self._drawn(conversation.system, share, rng))
            ids += [vocab[SYSTEM], *text, vocab[END]]
        labels = [_IGNORED_LABEL] * len(ids)
        for exchange in conversation.exchanges:
            own_share = rng.choice(_COPIED_SHARES) if exchange.is_copied else share
            spelled = self._drawn(exchange.prompt, own_share, rng)
            prompt = self._text(exchange.prompt.strip(), spelled)
            prompt = [vocab[USER], *prompt, vocab[END], vocab[ASSISTANT]]
            spelled = spelled if exchange.is_copied else set()
            if exchange.is_spelled:
                spelled = set(self._pieces(exchange.answer))
            answer = self._text(exchange.answer, spelled)
            answer.append(vocab[END])
            ids += prompt + answer
            labels += [_IGNORED_LABEL] * len(prompt) + answer
        return ids, labels
