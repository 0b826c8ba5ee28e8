"""A real, tiny checkpoint made on the spot, and gateways over it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from providers.echo_provider import EchoProvider
from providers.local.local_provider import LocalProvider
from providers.provider_gateway import ProviderGateway
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

SENTENCES = (
    "the quick brown fox jumps over the lazy dog",
    "la capital de España es Madrid, y mañana será otro día",
)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTEXT_TOKENS = 256
ENDLESS_TOKENS = 8192

BuildGateway = Callable[..., ProviderGateway]


def save_tiny_checkpoint(folder: Path, *, endless: bool = False) -> None:
    """A Llama of two layers with random weights and a byte-level BPE tokenizer.

    An ``endless`` one has no token that ends a turn, and a long context.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=None if endless else "<|end|>"
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=ENDLESS_TOKENS if endless else CONTEXT_TOKENS,
        bos_token_id=None,
        eos_token_id=None if endless else 0,
        # Wide enough that the largest score is not always the same token.
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny checkpoint; not to be changed."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny")
    save_tiny_checkpoint(folder)
    return folder


@pytest.fixture(scope="session")
def endless_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny checkpoint that goes on until it is stopped; not to be changed."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("endless")
    save_tiny_checkpoint(folder, endless=True)
    return folder


@pytest.fixture
def build_gateway(tmp_path: Path) -> BuildGateway:
    """A gateway over checkpoints by key, with the built-in models besides."""

    def build(budget_bytes: int = 64 << 20, **folders: Path) -> ProviderGateway:
        file = tmp_path / "models.toml"
        file.write_text(
            "".join(f'[models.{key}]\nsource = "{path}"\n' for key, path in folders.items())
        )
        return ProviderGateway(
            ModelRegistry.from_toml([file]),
            StrategyRegistry.from_toml(),
            [EchoProvider(), LocalProvider(budgets={"cpu": budget_bytes}, num_threads=1)],
        )

    return build
