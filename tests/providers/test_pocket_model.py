import json
from pathlib import Path

import pytest
import torch

from training.pocket.evaluate import MARK, SHIPPED, Verdict, held_out_cases, judge, load, shares

MAX_WEIGHT_BYTES = 8_000_000
MAX_PARAMETERS = 3_000_000
NUM_PER_SKILL = 5
SEED = 20260


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model, tokenizer = load(SHIPPED)
    judged = judge(model, tokenizer, held_out_cases(num_per_skill=NUM_PER_SKILL, seed=SEED))
    torch.set_num_threads(threads)
    return judged


def test_the_shipped_model_is_small() -> None:
    model, _ = load(SHIPPED)
    assert (SHIPPED / "model.safetensors").stat().st_size <= MAX_WEIGHT_BYTES
    assert model.num_parameters() <= MAX_PARAMETERS


def test_the_shipped_folder_is_a_plain_hugging_face_model() -> None:
    config = json.loads(Path(SHIPPED, "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert "auto_map" not in config
    generation = json.loads(Path(SHIPPED, "generation_config.json").read_text(encoding="utf-8"))
    assert generation["do_sample"] is False
    assert {path.suffix for path in SHIPPED.iterdir()} <= {".json", ".safetensors", ".jinja", ".md"}


def test_any_text_survives_the_tokenizer() -> None:
    _, tokenizer = load(SHIPPED)
    for text in ["¿Qué tal, señor Núñez? 12+7", "日本 🙂\n\ttab", '{"email": "a.b@c.org"}', ""]:
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_held_out_prompts_are_answered_exactly(verdicts: list[Verdict]) -> None:
    wrong = [
        (v.case.conversation.messages()[-1]["content"], v.case.expected, v.answer)
        for v in verdicts
        if not v.is_right
    ]
    assert 1 - len(wrong) / len(verdicts) >= MARK, wrong


def test_no_skill_is_missing(verdicts: list[Verdict]) -> None:
    assert len(shares(verdicts)) == 26


def test_no_skill_is_broken(verdicts: list[Verdict]) -> None:
    by_skill = shares(verdicts)
    # A sample of twenty a skill is too small for the mark of each; that is what evaluate.py is for.
    assert min(by_skill.values()) >= 0.8, by_skill


def test_answers_end_by_themselves(verdicts: list[Verdict]) -> None:
    assert all(verdict.is_ended for verdict in verdicts)
