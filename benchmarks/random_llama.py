"""Random Llama checkpoints made on the spot, whose speed is that of trained ones of their size."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class RandomLlama:
    """A size of model: ``name`` says its parameters."""

    name: str
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    vocab_size: int


SMALL = RandomLlama("8.5M", 256, 704, 6, 8, 4, 8000)
LARGE = RandomLlama("100M", 768, 2048, 12, 12, 4, 16000)


def save_random_llama(size: RandomLlama, folder: Path) -> int:
    """Write the checkpoint, which never ends a turn by itself; its number of parameters."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    _train_tokenizer(size.vocab_size).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=size.vocab_size,
        hidden_size=size.hidden_size,
        intermediate_size=size.intermediate_size,
        num_hidden_layers=size.num_layers,
        num_attention_heads=size.num_heads,
        num_key_value_heads=size.num_kv_heads,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return int(model.num_parameters())


def _train_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """A tokenizer in which every id is some text, so that whoever streams sees each token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=6000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = sorted(str(path) for path in (REPOSITORY / "docs").glob("*.md"))
    tokenizer.train(texts, trainer)
    trained = json.loads(tokenizer.to_str())
    entries = trained["model"]["vocab"]
    # Nothing merges into them. As added tokens they would take longer to load than the weights.
    for number in range(vocab_size - len(entries)):
        entries[f"Ġword{number}"] = len(entries)
    whole = Tokenizer.from_str(json.dumps(trained))
    return PreTrainedTokenizerFast(tokenizer_object=whole)  # type: ignore[no-untyped-call]
