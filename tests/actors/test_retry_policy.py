"""What is tried again, and after which pause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.retry_policy import PATIENT_PAUSE_S, POLICIES, RetryPolicy
from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput, NoExecutor, ProviderFailed

RETRYABLE = ProviderFailed(provider="p", reason="busy")
policies = st.sampled_from(list(POLICIES.values()))


def test_every_actor_has_a_policy_that_ends() -> None:
    assert set(POLICIES) == set(ActorKind)
    for policy in POLICIES.values():
        assert 1 <= policy.alone_from < policy.num_deaths
        assert policy.num_tries >= 1


@given(policies)
def test_a_retryable_fault_is_tried_so_often_and_no_more(policy: RetryPolicy) -> None:
    pauses = [policy.pause_s(RETRYABLE, num_faults) for num_faults in range(10)]
    assert [pause is not None for pause in pauses] == [
        number < policy.num_tries - 1 for number in range(10)
    ]


@given(policies, st.integers(0, 10_000))
def test_pauses_grow_to_a_ceiling_and_are_spread(policy: RetryPolicy, num_faults: int) -> None:
    patient = policy.pause_s(NoExecutor(), num_faults)
    assert patient is not None
    assert 0 < patient <= PATIENT_PAUSE_S
    endless = RetryPolicy(num_tries=100_000, base_s=policy.base_s, max_s=policy.max_s)
    pause = endless.pause_s(RETRYABLE, num_faults)
    ceiling = min(policy.max_s, policy.base_s * 2 ** min(num_faults, 16))
    assert pause is not None
    assert ceiling / 2 <= pause <= ceiling


@pytest.mark.parametrize("num_faults", [0, 1, 5])
def test_what_is_for_good_is_never_tried_again(num_faults: int) -> None:
    permanent = InvalidInput(field="prompt", reason="is wrong")
    assert RetryPolicy().pause_s(permanent, num_faults) is None
    listed = RetryPolicy(never=frozenset({RETRYABLE.code}))
    assert listed.pause_s(RETRYABLE, num_faults) is None
