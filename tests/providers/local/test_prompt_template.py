import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from contracts.errors import InvalidInput
from contracts.prompt import ChatMessage
from providers.local.prompt_template import PLAIN_STOP, PromptTemplate
from providers.registries.model_entry import ModelEntry

ENTRY = ModelEntry(key="tiny", source="a/b")
TURNS = (
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", content="hello"),
)


@pytest.fixture
def base_folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """The tiny checkpoint as a base model: its tokenizer has no chat template."""
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "base"))
    (folder / "chat_template.jinja").unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def test_the_tokenizers_own_template_is_used(tiny_checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    template = PromptTemplate(tokenizer, ENTRY)
    assert (
        tokenizer.decode(template.encode(TURNS)) == "<|system|>Be brief.<|user|>hello<|assistant|>"
    )
    assert template.implied_stops == ()


def test_a_base_model_gets_a_transcript_and_stops_at_the_users_turn(base_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    template = PromptTemplate(tokenizer, ENTRY)
    assert tokenizer.decode(template.encode(TURNS)) == (
        "System: Be brief.\nUser: hello\nAssistant:"
    )
    assert template.implied_stops == (PLAIN_STOP,)


def test_the_entrys_template_stands_in_for_a_missing_one(base_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    entry = ENTRY.model_copy(
        update={
            "chat_template": "{{ prefix }}{{ messages[-1]['content'] }}!",
            "chat_template_options": {"prefix": "Q: "},
        }
    )
    template = PromptTemplate(tokenizer, entry)
    assert tokenizer.decode(template.encode(TURNS)) == "Q: hello!"
    assert template.implied_stops == ()


def test_turns_that_the_template_refuses_are_invalid_input(base_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    entry = ENTRY.model_copy(update={"chat_template": "{{ raise_exception('no system turns') }}"})
    with pytest.raises(InvalidInput, match="no system turns") as caught:
        PromptTemplate(tokenizer, entry).encode(TURNS)
    assert caught.value.field == "messages"
