"""promptbus under real LangChain: called, streamed, batched, chained, and as a node of a graph."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import PromptTemplate
from langgraph.graph import END, START, StateGraph

from contracts.errors import Cancelled, InvalidInput, RemoteError, UnknownModel
from contracts.prompt import Priority
from promptbus.langchain import BusSession, LocalModelWrapper, create_local_llm
from promptbus.settings import Settings
from tests.promptbus.langchain.executors import (
    BROKEN,
    ECHO,
    ENDLESS,
    EndlessExecutor,
    executors,
)

PATIENCE_S = 20.0


@contextmanager
def stage(
    settings: Settings, model: str = ECHO, **wishes: Any
) -> Iterator[tuple[LocalModelWrapper, EndlessExecutor]]:
    """Executors at work, and an LLM that asks them."""
    with executors(settings) as endless, BusSession(settings) as session:
        yield create_local_llm(model, "standard", session=session, **wishes), endless


def until_cancelled(endless: EndlessExecutor) -> None:
    """Return as soon as all that was asked is cancelled."""
    ends_s = time.monotonic() + PATIENCE_S
    while {task.run_id for task in endless.asked} != set(endless.cancelled):
        assert time.monotonic() < ends_s, "a generation goes on though nobody waits"
        time.sleep(0.02)


def test_a_prompt_is_answered_and_its_metrics_are_told(settings: Settings) -> None:
    with stage(settings) as (llm, _):
        assert llm.get_metrics() == {}
        assert llm.invoke("one two three") == "one two three"
        metrics = llm.get_metrics()
        assert (metrics["model"], metrics["strategy"]) == (ECHO, "standard")
        assert (metrics["completion_tokens"], metrics["finish_reason"]) == (3, "stop")
        assert metrics["source"] == "local"


def test_limits_and_stops_of_the_llm_of_a_binding_and_of_a_call_are_kept(
    settings: Settings,
) -> None:
    with stage(settings, max_tokens=4, stop=("six",)) as (llm, _):
        text = "one two three four five six seven"
        assert llm.invoke(text) == "one two three four"
        assert llm.invoke(text, max_tokens=6) == "one two three four five "
        assert llm.invoke(text, stop=["three"]) == "one two "
        assert llm.bind(max_tokens=2).invoke(text) == "one two"
        assert "".join(llm.stream(text, stop=["two"])) == "one "


async def test_everything_that_is_wished_reaches_the_executor(settings: Settings) -> None:
    wishes = {"temperature": 0.3, "top_p": 0.8, "repetition_penalty": 1.1, "seed": 7}
    with stage(settings, ENDLESS, **wishes, local_only=True) as (llm, endless):
        pieces = llm.astream("sing", priority=Priority.INTERACTIVE)
        assert isinstance(pieces, AsyncGenerator)
        async with aclosing(pieces):
            await anext(pieces)
        (task,) = endless.asked
        assert {name: getattr(task, name) for name in wishes} == wishes
        assert (task.prompt, task.model, task.strategy) == ("sing", ENDLESS, "standard")
        assert (task.priority, task.local_only) == (Priority.INTERACTIVE, True)
        assert llm._identifying_params["seed"] == 7
        await asyncio.to_thread(until_cancelled, endless)


class Heard(BaseCallbackHandler):
    """Remembers the tokens it is told of."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        """One more."""
        self.tokens.append(token)


async def test_a_stream_gives_the_answer_in_pieces_and_tells_callbacks(settings: Settings) -> None:
    text = " ".join(f"word{number}" for number in range(200))
    with stage(settings) as (llm, _):
        heard = Heard()
        pieces = await asyncio.to_thread(
            lambda: list(llm.stream(text, config={"callbacks": [heard]}))
        )
        assert "".join(pieces) == text
        assert heard.tokens == pieces
        assert "".join([piece async for piece in llm.astream(text)]) == text
        assert llm.get_metrics()["completion_tokens"] == 200


def test_a_stream_that_is_closed_stops_its_generation(settings: Settings) -> None:
    with stage(settings, ENDLESS) as (llm, endless):
        pieces = llm.stream("sing")
        assert next(pieces).startswith("la")
        assert isinstance(pieces, Generator)
        pieces.close()
        until_cancelled(endless)


async def test_cancelling_an_awaited_call_stops_its_generation(settings: Settings) -> None:
    with stage(settings, ENDLESS) as (llm, endless):
        call = asyncio.create_task(llm.ainvoke("sing"))
        while not endless.asked:
            await asyncio.sleep(0.02)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.to_thread(until_cancelled, endless)


async def test_a_batch_is_answered_in_its_order(settings: Settings) -> None:
    prompts: list[Any] = [f"prompt number {number}" for number in range(12)]
    with stage(settings) as (llm, _):
        assert await asyncio.to_thread(llm.batch, prompts) == prompts
        assert await llm.abatch(prompts) == prompts
        result = await llm.agenerate(prompts)
        assert [one[0].text for one in result.generations] == prompts
        assert result.llm_output is not None
        assert result.llm_output["token_usage"]["completion_tokens"] == 3 * 12


def test_a_batch_is_generated_at_once_and_stopped_by_the_end_of_its_session(
    settings: Settings,
) -> None:
    with stage(settings, ENDLESS) as (llm, endless), ThreadPoolExecutor(1) as pool:
        batch = pool.submit(llm.batch, ["a", "b", "c"])
        ends_s = time.monotonic() + PATIENCE_S
        while len(endless.asked) < 3:
            assert time.monotonic() < ends_s
            time.sleep(0.02)
        llm.session.close()
        with pytest.raises(Cancelled):
            batch.result(timeout=PATIENCE_S)
        until_cancelled(endless)


def test_threads_share_one_session(settings: Settings) -> None:
    with stage(settings) as (llm, _), ThreadPoolExecutor(4) as pool:
        prompts = [f"thread {number}" for number in range(16)]
        assert list(pool.map(llm.invoke, prompts)) == prompts
        assert ["".join(pieces) for pieces in pool.map(lambda p: list(llm.stream(p)), prompts)] == (
            prompts
        )


async def test_it_is_a_link_of_a_chain(settings: Settings) -> None:
    with stage(settings) as (llm, _):
        chain = PromptTemplate.from_template("Say {what}") | llm | StrOutputParser()
        assert await asyncio.to_thread(chain.invoke, {"what": "hello"}) == "Say hello"
        assert await chain.ainvoke({"what": "hello"}) == "Say hello"
        pieces = [piece async for piece in chain.astream({"what": "hello again"})]
        assert len(pieces) >= 1
        assert "".join(pieces) == "Say hello again"


class Talk(TypedDict):
    """The state of a graph with one model in it."""

    question: str
    answer: str


async def test_it_is_a_node_of_a_graph(settings: Settings) -> None:
    with stage(settings) as (llm, _):

        async def answer(state: Talk) -> dict[str, str]:
            return {"answer": await llm.ainvoke(state["question"])}

        graph = StateGraph(Talk)
        graph.add_node("answer", answer)
        graph.add_edge(START, "answer")
        graph.add_edge("answer", END)
        found = await graph.compile().ainvoke({"question": "who is there", "answer": ""})
        assert found["answer"] == "who is there"


def test_faults_are_told_by_their_types(settings: Settings) -> None:
    with stage(settings) as (llm, _):
        with pytest.raises(InvalidInput, match="top_k"):
            llm.invoke("hi", top_k=3)
        with pytest.raises(InvalidInput, match="temperature"):
            llm.invoke("hi", temperature=9)
        with pytest.raises(InvalidInput, match="prompt"):
            llm.invoke(" ")
        with pytest.raises(InvalidInput, match="max_token"):
            create_local_llm(ECHO, max_token=3)
        unknown = create_local_llm("ecko", session=llm.session)
        for call in (unknown.invoke, lambda prompt: list(unknown.stream(prompt))):
            with pytest.raises(UnknownModel) as caught:
                call("hi")
            assert ECHO in (caught.value.cure or "")
        broken = create_local_llm(BROKEN, session=llm.session)
        for call in (broken.invoke, lambda prompt: list(broken.stream(prompt))):
            with pytest.raises(RemoteError, match="it is broken"):
                call("hi")
        assert llm.invoke("still there") == "still there"
