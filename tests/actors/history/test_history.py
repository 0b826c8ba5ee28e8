"""The history actor on both databases."""

from sqlalchemy import URL

from actors.actor import Handler
from actors.history import History, Projection
from actors.history.turns import estimate_tokens
from contracts.event import HistoryRecalled
from contracts.prompt import ChatMessage
from contracts.task import RecallHistory
from tests.actors.history.journals import failed, run_id, started, stream, whole_run


def recall(number: int, session_id: str | None = "s", budget_tokens: int = 1024) -> RecallHistory:
    return RecallHistory(run_id=run_id(number), session_id=session_id, budget_tokens=budget_tokens)


def texts(recalled: HistoryRecalled) -> list[str]:
    return [turn.content for turn in recalled.turns]


def test_it_takes_recalls() -> None:
    assert History.handlers == {RecallHistory: Handler("recall", takes_step=False)}


async def test_earlier_turns_come_oldest_first(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(
            stream(whole_run(1, "one", "1", "s"), whole_run(2, "two", "2", "s"), [started(3, "x")])
        )
        recalled = await History(projection).recall(recall(9))
    assert recalled.turns == (
        ChatMessage(role="user", content="one"),
        ChatMessage(role="assistant", content="1"),
        ChatMessage(role="user", content="two"),
        ChatMessage(role="assistant", content="2"),
    )
    assert recalled.num_tokens == sum(estimate_tokens(text) for text in ("one", "1", "two", "2"))
    assert (recalled.run_id, recalled.num_omitted) == (run_id(9), 0)


async def test_other_sessions_and_unanswered_runs_are_not_recalled(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(
            stream(
                whole_run(1, "mine", "yes", "s"),
                whole_run(2, "another's", "no", "S"),
                whole_run(3, "nobody's", "no"),
                [started(4, "failed", "s"), failed(4)],
                [started(5, "running", "s")],
            )
        )
        recalled = await History(projection).recall(recall(9))
    assert texts(recalled) == ["mine", "yes"]


async def test_the_run_that_asks_and_later_ones_are_not_recalled(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(
            stream(
                whole_run(1, "one", "1", "s"),
                whole_run(2, "two", "2", "s"),
                whole_run(3, "three", "3", "s"),
            )
        )
        recalled = await History(projection).recall(recall(2))
    assert texts(recalled) == ["one", "1"]


async def test_the_newest_whole_pairs_are_kept_when_the_budget_is_short(database: URL) -> None:
    runs = [whole_run(number, f"ask {number:03}", f"say {number:03}", "s") for number in range(50)]
    pair_tokens = 2 * estimate_tokens("ask 001")
    async with Projection.open(database) as projection:
        await projection.apply(stream(*runs))
        history = History(projection)
        for num_pairs in (1, 2, 15, 16, 17, 32, 49):
            budget = num_pairs * pair_tokens + pair_tokens - 1
            recalled = await history.recall(recall(999, budget_tokens=budget))
            expected = [
                text
                for number in range(50 - num_pairs, 50)
                for text in (f"ask {number:03}", f"say {number:03}")
            ]
            assert texts(recalled) == expected
            assert recalled.num_tokens == num_pairs * pair_tokens <= budget
            assert recalled.num_omitted == 2 * (50 - num_pairs)


async def test_a_long_pair_ends_the_recall_instead_of_leaving_a_hole(database: URL) -> None:
    async with Projection.open(database) as projection:
        await projection.apply(
            stream(
                whole_run(1, "old", "1", "s"),
                whole_run(2, "long", "x" * 9000, "s"),
                whole_run(3, "new", "3", "s"),
            )
        )
        recalled = await History(projection).recall(recall(9))
    assert texts(recalled) == ["new", "3"]
    assert recalled.num_omitted == 4


async def test_without_a_session_nothing_is_asked(database: URL) -> None:
    asked: list[str] = []

    async def catch_up(session_id: str) -> None:
        asked.append(session_id)

    async with Projection.open(database) as projection:
        await projection.apply(stream(whole_run(1)))
        history = History(projection, catch_up)
    # The projection is closed: touching it now would fail.
    assert (await history.recall(recall(9, session_id=None))).turns == ()
    assert (await history.recall(recall(9, budget_tokens=0))).turns == ()
    assert asked == []


async def test_a_session_sees_what_catching_up_brings(database: URL) -> None:
    async with Projection.open(database) as projection:

        async def catch_up(session_id: str) -> None:
            await projection.apply(stream(whole_run(1, "just", "now", session_id)), advance=False)

        recalled = await History(projection, catch_up).recall(recall(9))
        assert await projection.position() == 0
    assert texts(recalled) == ["just", "now"]


async def test_session_ids_are_data(database: URL) -> None:
    hostile = ["' OR '1'='1", "%", "_", "s\ufffd", "é", "e\u0301"]
    async with Projection.open(database) as projection:
        await projection.apply(
            stream(*(whole_run(n, f"{n}", "-", name) for n, name in enumerate(hostile, start=1)))
        )
        history = History(projection)
        found = [texts(await history.recall(recall(99, session_id=name))) for name in hostile]
        # No prompt can name this session, and no database either; a foreign task still may.
        unnameable = texts(await history.recall(recall(99, session_id="s\x00")))
    assert found == [[f"{n}", "-"] for n in range(1, len(hostile) + 1)]
    assert unnameable == []
