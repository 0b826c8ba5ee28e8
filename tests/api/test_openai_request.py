"""Bodies of OpenAI's protocol: whatever comes, a request or a refusal comes of it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.openai.request import ChatCompletionRequest, CompletionRequest
from api.request_body import parse_model
from contracts.errors import PromptbusError
from contracts.prompt import ChatMessage

SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool"])},
    optional={"content": JSON | st.text(min_size=1), "name": st.text()},
)
FIELDS = sorted(
    ChatCompletionRequest.model_fields.keys() | CompletionRequest.model_fields.keys() | {"user"}
)


@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
    JSON | st.lists(TURN, max_size=4),
    JSON | st.text(min_size=1),
)
def test_any_body_is_a_request_or_a_refusal_with_a_status_of_its_own(
    fields: dict[str, Any], messages: Any, prompt: Any
) -> None:
    body = json.dumps({"model": "echo", "messages": messages, "prompt": prompt, **fields}).encode()
    for model in (ChatCompletionRequest, CompletionRequest):
        try:
            wanted = parse_model(body, model)
            assert wanted.to_prompt().text
            assert wanted.to_direct().model == wanted.model
        except PromptbusError as exc:
            assert 400 <= exc.to_wire().status < 500


def test_fields_go_where_promptbus_has_them() -> None:
    body = {
        "model": "auto",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "?"},
        ],
        "max_tokens": 5,
        "max_completion_tokens": 9,
        "seed": -1,
        "stop": "END",
        "stream": True,
        "local_only": True,
        "session_id": "s1",
    }
    prompt = parse_model(json.dumps(body).encode(), ChatCompletionRequest).to_prompt()
    assert prompt.model is None
    assert prompt.messages[0] == ChatMessage(role="system", content="Be brief.")
    assert (prompt.max_tokens, prompt.seed, prompt.stop) == (9, 2**32 - 1, ("END",))
    assert (prompt.local_only, prompt.session_id, prompt.max_attempts) == (True, "s1", 1)
    body |= {"max_attempts": 3}
    assert (
        parse_model(json.dumps(body).encode(), ChatCompletionRequest).to_prompt().max_attempts == 3
    )
    body |= {"max_attempts": None, "stream": False}
    again = parse_model(json.dumps(body).encode(), ChatCompletionRequest).to_prompt()
    assert again.max_attempts is None
