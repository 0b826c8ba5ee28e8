"""JSON as promptbus takes it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problem import RefusedRequest
from api.strict_json import parse_object
from contracts.errors import InvalidJson, PromptbusError

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(st.dictionaries(st.text(), _values))
def test_every_ordinary_object_is_taken_as_it_is(document: dict[str, Any]) -> None:
    assert parse_object(json.dumps(document).encode()) == document
    assert parse_object(json.dumps(document, ensure_ascii=False).encode()) == document


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_an_object_or_an_error_of_ours(body: bytes) -> None:
    try:
        assert isinstance(parse_object(body), dict)
    except PromptbusError as exc:
        assert 400 <= exc.to_wire().status < 500


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\x00"}',
        b"[" * 200_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_in_utf8_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse_object(body)


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"[]", "not_object", 422),
        (b"null", "not_object", 422),
        (b'"x"', "not_object", 422),
        (b"5", "not_object", 422),
        (b'{"a":1,"a":2}', "duplicate_key", 400),
        (b'{"a":{"b":1,"\\u0062":2}}', "duplicate_key", 400),
        (b'{"a":NaN}', "not_finite", 422),
        (b'{"a":Infinity}', "not_finite", 422),
        (b'{"a":-Infinity}', "not_finite", 422),
        (b'{"a":1e999}', "not_finite", 422),
        (b'{"a":' + b"9" * 5000 + b"}", "out_of_range", 422),
        (b'{"a":"\\ud800"}', "invalid_unicode", 422),
        (b'{"\\udfff":1}', "invalid_unicode", 422),
        (b'{"a":["\\uDC00\\uD800"]}', "invalid_unicode", 422),
    ],
)
def test_what_readers_could_take_differently_is_refused(
    body: bytes, code: str, status: int
) -> None:
    with pytest.raises(RefusedRequest) as caught:
        parse_object(body)
    assert (caught.value.info.code, caught.value.info.status) == (code, status)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert parse_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "😀"}
