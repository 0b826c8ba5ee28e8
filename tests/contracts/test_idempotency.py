"""Keys name runs, and digests tell requests apart."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InvalidInput
from contracts.idempotency import (
    MAX_KEY_CHARS,
    check_idempotency_key,
    keyed_run_id,
    request_digest,
)
from contracts.prompt import PromptRequest, SubmitPrompt
from contracts.run_id import check_run_id, new_run_id

keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


@given(keys, st.text(max_size=9))
def test_a_key_names_one_run_of_its_owner(key: str, owner: str) -> None:
    run_id = keyed_run_id(key, owner)
    assert keyed_run_id(key, owner) == run_id == check_run_id(run_id)
    parsed = uuid.UUID(hex=run_id)
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)
    assert keyed_run_id(key, f"{owner}x") != run_id
    assert keyed_run_id(f"x{key}"[:255], owner) != run_id or key == "x" * 255


@pytest.mark.parametrize(
    "key", ["", " ", "x" * (MAX_KEY_CHARS + 1), "a\x00", "a\nb", "a\tb", "\x7f", "ключ", "é"]
)
def test_what_is_no_key_is_refused_by_name(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_idempotency_key(key)
    assert caught.value.field == "Idempotency-Key"


def test_a_digest_tells_requests_apart_and_nothing_else() -> None:
    wanted = {"prompt": "hi", "max_tokens": 5, "stop": ["a"]}
    request = PromptRequest.model_validate_json(
        '{"stop": ["a"], "prompt": "hi", "max_tokens": 5, "local_only": false}'
    )
    command = SubmitPrompt.of(request, new_run_id())
    same = SubmitPrompt.model_validate({**wanted, "run_id": new_run_id()})
    assert request_digest(command, "batch") == request_digest(same, "batch")
    others = [
        request_digest(same, "normal"),
        *(
            request_digest(SubmitPrompt.model_validate({**wanted, **change}), "batch")
            for change in (
                {"prompt": "hi "},
                {"max_tokens": 6},
                {"stop": ["b"]},
                {"local_only": True},
                {"prompt": None, "messages": [{"role": "user", "content": "hi"}]},
            )
        ),
    ]
    assert len({request_digest(command, "batch"), *others}) == 1 + len(others)
