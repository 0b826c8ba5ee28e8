"""Judge pocket on held-out phrasings and items: ``python -m training.pocket.evaluate``.

The exit code is 1 if a skill is below the mark.
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from training.pocket.conversation import Conversation, Conversations
from training.pocket.phrasing import Language, Split
from training.pocket.skills import Skills
from training.pocket.world import load_world

SHIPPED = Path(__file__).parents[2] / "providers" / "local" / "pocket"
MARK = 0.97
_MAX_NEW_TOKENS = 128


@dataclass(frozen=True)
class Case:
    """One held-out conversation, the skill that it asks for, and whether it is a bare prompt."""

    skill: str
    language: Language
    conversation: Conversation
    is_bare: bool

    @property
    def expected(self) -> str:
        """The one right answer."""
        return self.conversation.exchanges[-1].answer


@dataclass(frozen=True)
class Verdict:
    """What the model said to a case, and whether it stopped by itself."""

    case: Case
    answer: str
    is_ended: bool

    @property
    def is_right(self) -> bool:
        """Exact, but for marks and spaces at the end."""
        return self.is_ended and _bare(self.answer) == _bare(self.case.expected)


def _bare(text: str) -> str:
    return text.strip().rstrip(" .!?")


def held_out_cases(*, num_per_skill: int, seed: int) -> list[Case]:
    """Per skill and language: as many bare prompts as prompts in a conversation."""
    world = load_world()
    skills = Skills(world)
    conversations = Conversations(world, skills)
    rng = random.Random(seed)
    cases = []
    for skill in skills.names:
        for language in Language:
            for _ in range(num_per_skill):
                exchange = skills.make(skill, language, Split.HELD_OUT, rng)
                bare = Conversation(None, [exchange])
                cases.append(Case(skill, language, bare, is_bare=True))
                whole = conversations.about(skill, language, Split.HELD_OUT, rng)
                cases.append(Case(skill, language, whole, is_bare=False))
    return cases


def load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and its tokenizer, by the way of any Hugging Face model."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, use_safetensors=True, trust_remote_code=False
    )
    return model.eval(), tokenizer


def judge(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    cases: Sequence[Case],
    *,
    batch_size: int = 64,
) -> list[Verdict]:
    """Generate greedily for every case, in batches of about equal length."""
    texts = [
        tokenizer.apply_chat_template(
            case.conversation.messages(), add_generation_prompt=True, tokenize=False
        )
        for case in cases
    ]
    order = sorted(range(len(cases)), key=lambda i: (len(cases[i].expected), len(texts[i])))
    generate: Any = model.generate
    verdicts = []
    for at in range(0, len(order), batch_size):
        chosen = order[at : at + batch_size]
        inputs = tokenizer(
            [texts[i] for i in chosen],
            return_tensors="pt",
            padding=True,
            padding_side="left",
            add_special_tokens=False,
        )
        with torch.inference_mode():
            outputs = generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=_MAX_NEW_TOKENS,
                do_sample=False,
            )
        answers = outputs[:, inputs["input_ids"].shape[1] :]
        for i, answer in zip(chosen, answers, strict=True):
            text = str(tokenizer.decode(answer, skip_special_tokens=True))
            is_ended = bool((answer == tokenizer.eos_token_id).any())
            verdicts.append(Verdict(cases[i], text, is_ended))
    return verdicts


def shares(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """The share of right answers per skill."""
    right: dict[str, list[bool]] = defaultdict(list)
    for verdict in verdicts:
        right[verdict.case.skill].append(verdict.is_right)
    return {skill: sum(values) / len(values) for skill, values in right.items()}


def _share(verdicts: list[Verdict]) -> str:
    return f"{sum(v.is_right for v in verdicts) / len(verdicts):7.1%}" if verdicts else "      -"


def table(verdicts: Sequence[Verdict]) -> str:
    """Skills in rows; languages, bare prompts and conversations in columns, as Markdown."""
    lines = [
        "| skill | English | Spanish | English, in conversation | Spanish, in conversation |",
        "|---|---|---|---|---|",
    ]
    skills = list(dict.fromkeys(verdict.case.skill for verdict in verdicts))
    for skill in [*sorted(skills), "all"]:
        cells = []
        for is_bare in (True, False):
            for language in Language:
                cells.append(
                    _share(
                        [
                            v
                            for v in verdicts
                            if skill in (v.case.skill, "all")
                            and v.case.language is language
                            and v.case.is_bare is is_bare
                        ]
                    )
                )
        lines.append(f"| {skill} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table and some mistakes; 1 if a skill is below the mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=SHIPPED, help="folder to judge")
    parser.add_argument("--num-per-skill", type=int, default=100, help="per language and kind")
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--mistakes", type=int, default=30, help="how many to print")
    parser.add_argument("--threads", type=int, default=1, help="threads for torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, tokenizer = load(args.model)
    cases = held_out_cases(num_per_skill=args.num_per_skill, seed=args.seed)
    verdicts = judge(model, tokenizer, cases)
    print(table(verdicts))
    wrong = [verdict for verdict in verdicts if not verdict.is_right]
    random.Random(0).shuffle(wrong)
    for verdict in wrong[: args.mistakes]:
        prompts = [m["content"] for m in verdict.case.conversation.messages()]
        print(f"\n{verdict.case.skill}: {prompts}\n  want {verdict.case.expected!r}")
        print(f"  got  {verdict.answer!r}")
    below = {skill: share for skill, share in shares(verdicts).items() if share < MARK}
    for skill, share in below.items():
        print(f"below the mark of {MARK:.0%}: {skill} {share:.1%}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
