"""``promptbus ask --idempotency-key``: the same key is the same run."""

from contracts.idempotency import keyed_run_id
from tests.promptbus.conftest import System


def test_asking_again_under_a_key_shows_the_answer_again(system: System) -> None:
    first, second, other, wrong = system.each(
        "ask 'say it once' -m echo --json --idempotency-key once",
        "ask 'say it once' -m echo --json --idempotency-key once",
        "ask 'say it twice' -m echo --idempotency-key once",
        f"ask 'say it' -m echo --idempotency-key {'x' * 300}",
    )
    assert first.json()["run_id"] == second.json()["run_id"] == keyed_run_id("once")
    assert first.json()["output"] == second.json()["output"] == "say it once"
    assert first.json()["started_at"] == second.json()["started_at"]
    assert other.code == 1
    assert other.err.startswith("error this idempotency key belongs to run ")
    assert (wrong.code, wrong.err.splitlines()[0]) == (
        2,
        "error Idempotency-Key: is longer than 255 characters",
    )
