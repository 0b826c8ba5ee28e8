"""Direct generation over HTTP."""

from pathlib import Path

import anyio
import httpx2

from api.limits import ApiLimits
from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from tests.api.house import SLOW, SlowExecutor, open_house, serve, until

EXECUTOR = (ActorKind.EXECUTOR,)


async def test_an_inference_goes_over_the_bus_and_back(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir, kinds=EXECUTOR) as house, house.http() as http:
        for path in ("/inference", "/inference/"):
            answer = await http.post(path, json={"prompt": "hello there", "model": "echo"})
            assert answer.status_code == 200
            body = answer.json()
            assert body["success"] is True
            assert body["output"] == "hello there"
            assert body["model"] == "echo"
            assert body["metrics"]["strategy"] == "standard"
            assert body["metrics"]["completion_tokens"] == 2
            assert body["metrics"]["total_time_ms"] > 0
            assert len(body["run_id"]) == 32


async def test_messages_and_limits_reach_the_model(address: BusAddress, data_dir: Path) -> None:
    wanted = {
        "messages": [{"role": "user", "content": "one two three four"}],
        "model": "echo",
        "max_tokens": 2,
        "strategy": "streaming",
        "mode": "direct",
    }
    async with open_house(address, data_dir, kinds=EXECUTOR) as house, house.http() as http:
        body = (await http.post("/inference/", json=wanted)).json()
    assert body["output"].split() == ["one", "two"]
    assert body["metrics"]["finish_reason"] == "length"
    assert body["metrics"]["strategy"] == "streaming"


async def test_unknown_models_are_refused_before_anything_is_published(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=EXECUTOR) as house, house.http() as http:
        stream = house.process.connection.jetstream
        before = (await stream.stream_info("TASKS")).state.last_seq
        for model in ("nosuch", "../../etc/passwd", "file:///etc/passwd", "/etc/passwd", "*", ">"):
            answer = await http.post("/inference/", json={"prompt": "hi", "model": model})
            assert answer.status_code == 422
            assert answer.json()["code"] == "unknown_model"
            assert "echo" in answer.json()["cure"]
        wrong = {"prompt": "hi", "model": "echo", "strategy": "turbo"}
        answer = await http.post("/inference/", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_strategy")
        assert (await stream.stream_info("TASKS")).state.last_seq == before


async def test_without_an_executor_an_inference_is_refused_with_the_cure(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        answer = await http.post("/inference/", json={"prompt": "hi", "model": "echo"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "no_executor"
    assert "promptbus actor executor" in answer.json()["cure"]
    assert answer.headers["retry-after"] == "1"


async def test_a_generation_stops_when_its_client_hangs_up(
    address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor()
    async with (
        open_house(address, data_dir, kinds=(), slow=slow) as house,
        serve(house.app) as port,
        httpx2.AsyncClient() as http,
    ):
        body = {"prompt": "hi", "model": SLOW, "max_tokens": 2000}
        with anyio.move_on_after(0.5) as scope:
            await http.post(f"http://127.0.0.1:{port}/inference/", json=body)
        assert scope.cancelled_caught
        await until(lambda: len(slow.cancelled) == 1)


async def test_a_generation_over_its_time_is_a_problem_with_its_run_id(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(generate_timeout_s=0.3)
    slow = SlowExecutor()
    async with (
        open_house(address, data_dir, kinds=(), slow=slow, limits=limits) as house,
        house.http() as http,
    ):
        body = {"prompt": "hi", "model": SLOW, "max_tokens": 100}
        answer = await http.post("/inference/", json=body)
    assert answer.status_code == 504
    assert answer.json()["code"] == "deadline_exceeded"
    assert len(answer.json()["run_id"]) == 32


async def test_the_catalogue_tells_models_and_where_they_are_resident(
    address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor()
    async with open_house(address, data_dir, kinds=(), slow=slow) as house, house.http() as http:
        models = (await http.get("/models")).json()["models"]
        infos = (await http.get("/inference/models")).json()["models"]
    assert [model["model"] for model in models] == [SLOW]
    assert models[0]["hosts"] == [
        {
            "host": "tortoise",
            "available": True,
            "resident": True,
            "strategy": "standard",
            "loading": None,
        }
    ]
    (state,) = infos[0]["strategies"]
    assert (state["strategy"], state["loaded"], state["resident_on"]) == (
        "standard",
        True,
        ["tortoise"],
    )


async def test_a_generation_cancelled_by_another_says_so(
    address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor()
    async with (
        open_house(address, data_dir, kinds=(), slow=slow) as house,
        house.http() as http,
        anyio.create_task_group() as tasks,
    ):

        async def cancel_soon() -> None:
            run_ids: set[str] = set()
            with anyio.fail_after(10):
                while not run_ids:
                    tokens = await house.process.connection.jetstream.stream_info(
                        "TOKENS", subjects_filter=">"
                    )
                    run_ids = {name.split(".")[1] for name in tokens.state.subjects or {}}
            for run_id in run_ids:
                await house.client.cancel(run_id)

        await house.process.connection.jetstream.purge_stream("TOKENS")
        tasks.start_soon(cancel_soon)
        body = {"prompt": "hi", "model": SLOW, "max_tokens": 2000}
        answer = await http.post("/inference/", json=body)
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert answer.json()["error"]["code"] == "cancelled"
    assert answer.json()["output"].startswith("word")
