"""Train pocket: ``python -m training.pocket.train --minutes 30``."""

import argparse
import itertools
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from training.pocket.conversation import Conversations
from training.pocket.phrasing import Split
from training.pocket.skills import Skills
from training.pocket.vocabulary import Encoder, build_tokenizer, load_tokenizer
from training.pocket.world import load_world

_SHIPPED = Path(__file__).parents[2] / "providers" / "local" / "pocket"
_IGNORED_LABEL = -100
_POOL = 2048
_REPORT_EVERY_S = 20.0
_SAVE_EVERY_S = 120.0
_WARMUP = 0.03
_LENGTH_POWER = -0.25
# On a CPU and rows this short, plain attention trains twice as fast as the fused kernel.
_ATTENTION = "eager"

Batch = tuple[torch.Tensor, torch.Tensor]


def parse_args() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=_SHIPPED, help="folder to write")
    parser.add_argument("--start", type=Path, help="continue from the checkpoint in this folder")
    parser.add_argument("--minutes", type=float, default=30.0, help="time budget for training")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="threads for torch")
    parser.add_argument("--batch-tokens", type=int, default=4096, help="tokens of one step")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="peak, then cosine")
    parser.add_argument("--vocab-size", type=int, default=2048)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--intermediate", type=int, default=416)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def make_model(args: argparse.Namespace, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A new Llama of the asked size that shares its input and output embeddings."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=args.hidden,
        intermediate_size=args.intermediate,
        num_hidden_layers=args.layers,
        num_attention_heads=args.heads,
        num_key_value_heads=args.heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    model = LlamaForCausalLM(config)
    model.set_attn_implementation(_ATTENTION)
    return model


def _pad(rows: list[list[int]], value: int) -> torch.Tensor:
    width = max(len(row) for row in rows)
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def batches(
    conversations: Conversations, encoder: Encoder, *, batch_tokens: int, max_length: int, seed: int
) -> Iterator[Batch]:
    """Endless batches of right-padded ids and labels, of about equal numbers of tokens."""
    rng = random.Random(seed)
    while True:
        pool: list[tuple[list[int], list[int]]] = []
        while len(pool) < _POOL:
            ids, labels = encoder.encode(conversations.draw(Split.TRAIN, rng), rng)
            if len(ids) <= max_length:
                pool.append((ids, labels))
        pool.sort(key=lambda row: len(row[0]))
        chunks: list[list[tuple[list[int], list[int]]]] = [[]]
        for row in pool:
            if (len(chunks[-1]) + 1) * len(row[0]) > batch_tokens:
                chunks.append([])
            chunks[-1].append(row)
        rng.shuffle(chunks)
        for chunk in chunks:
            if chunk:
                yield (
                    _pad([ids for ids, _ in chunk], 0),
                    _pad([labels for _, labels in chunk], _IGNORED_LABEL),
                )


def loss_of(model: LlamaForCausalLM, batch: Batch, device: str) -> torch.Tensor:
    """Mean cross-entropy of the answer tokens, those of long answers weighted a little less.

    Padding is on the right and attention is causal, so no mask is needed, and logits are
    computed only where there is a label.
    """
    ids, labels = (part.to(device) for part in batch)
    with torch.autocast(device, dtype=torch.bfloat16):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        wanted = targets != _IGNORED_LABEL
        logits = functional.linear(hidden[wanted], model.lm_head.weight)
    losses = functional.cross_entropy(logits.float(), targets[wanted], reduction="none")
    # A row with long answers would otherwise drown the short ones, where most facts are.
    weights = wanted.sum(1, keepdim=True).float().pow(_LENGTH_POWER).expand(wanted.shape)[wanted]
    return (losses * weights).sum() / weights.sum()


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a Hugging Face folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config: type[Any] = GenerationConfig
    model.generation_config = config(
        do_sample=False,
        max_new_tokens=128,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _rate(progress: float) -> float:
    if progress < _WARMUP:
        return progress / _WARMUP
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - _WARMUP) / (1 - _WARMUP)))) + 1e-3


def make_optimizers(model: LlamaForCausalLM, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
    """
    inner = [p for p in model.model.layers.parameters() if p.dim() > 1]
    chosen = {id(p) for p in inner}
    outer = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(
            inner, lr=learning_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(outer, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def fit(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    stream: Iterator[Batch],
    args: argparse.Namespace,
) -> None:
    """Train until the time budget is spent; the rate falls with the time that passed."""
    optimizers = make_optimizers(model, args.learning_rate)
    budget_s = args.minutes * 60
    started = reported = saved = time.monotonic()
    model.train()
    num_tokens, losses = 0, []
    for step, batch in enumerate(stream):
        now = time.monotonic()
        progress = (now - started) / budget_s
        if progress >= 1:
            break
        for group in itertools.chain.from_iterable(o.param_groups for o in optimizers):
            group["lr"] = args.learning_rate * _rate(progress)
        loss = loss_of(model, batch, args.device)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        num_tokens += batch[0].numel()
        losses.append(loss.item())
        if now - reported > _REPORT_EVERY_S:
            mean = sum(losses) / len(losses)
            speed = num_tokens / (now - started)
            print(f"{progress:5.1%} step {step} loss {mean:.4f} {speed:.0f} tokens/s", flush=True)
            reported, losses = now, []
        if now - saved > _SAVE_EVERY_S:
            save(model, tokenizer, args.out)
            saved = now


def main() -> None:
    """Build or load, train, save."""
    args = parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    world = load_world()
    conversations = Conversations(world, Skills(world))
    if args.start:
        tokenizer = load_tokenizer(args.start)
        model = LlamaForCausalLM.from_pretrained(
            args.start, dtype=torch.float32, attn_implementation=_ATTENTION
        )
    else:
        tokenizer = build_tokenizer(
            conversations, world, vocab_size=args.vocab_size, seed=args.seed
        )
        model = make_model(args, tokenizer)
    model = model.to(args.device)
    print(f"{model.num_parameters()} parameters, {len(tokenizer)} tokens", flush=True)
    stream = batches(
        conversations,
        Encoder(tokenizer),
        batch_tokens=args.batch_tokens,
        max_length=model.config.max_position_embeddings,
        seed=args.seed,
    )
    fit(model, tokenizer, stream, args)
    save(model, tokenizer, args.out)
    print(f"saved {args.out}")


if __name__ == "__main__":
    main()
