"""API keys: made, recognised, and never with their secret."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.api_key import ApiKey, Scope, key_id_of, new_api_key

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_what_is_stored_tells_nothing_of_the_secret() -> None:
    token, key = new_api_key("ana", (Scope.READ,), now=NOW)
    secret = token.split("_", 2)[2]
    assert len(secret) == 43
    assert secret.encode() not in key.encode()
    assert key_id_of(token) == key.key_id
    assert ApiKey.model_validate_json(key.encode()) == key


@given(st.integers(0, 59), st.characters())
def test_one_other_character_is_another_key(position: int, character: str) -> None:
    token, key = new_api_key("ana", (Scope.READ,), now=NOW)
    assert key.matches(token)
    other = token[:position] + character + token[position + 1 :]
    is_same = other == token
    assert (key_id_of(other) == key.key_id and key.matches(other)) == is_same


@given(st.text())
def test_what_is_no_token_is_no_key(text: str) -> None:
    _, key = new_api_key("ana", (Scope.READ,), now=NOW)
    assert key_id_of(text) is None
    assert not key.matches(text)


@given(st.sets(st.sampled_from(Scope)), st.sets(st.sampled_from(Scope)))
def test_admin_may_do_all_and_others_what_they_have(have: set[Scope], wanted: set[Scope]) -> None:
    _, key = new_api_key("ana", have, now=NOW)
    assert key.allows(wanted) == (Scope.ADMIN in have or bool(have & wanted))


def test_a_key_ends_when_it_expires_or_is_revoked() -> None:
    _, key = new_api_key("ana", (Scope.READ,), now=NOW, expires_at=NOW + timedelta(hours=1))
    assert key.is_usable(NOW + timedelta(minutes=59))
    assert not key.is_usable(NOW + timedelta(hours=1))
    assert not key.model_copy(update={"revoked_at": NOW}).is_usable(NOW)
