"""LangGraph with its own durability: six no-op nodes under ``AsyncSqliteSaver``.

Nodes, state and calls are those LangGraph is fastest with: async nodes, a TypedDict, ``ainvoke``.
"""

import itertools
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import uvloop
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from benchmarks.batch_server import serve

NUM_NODES = 6


class State(TypedDict, total=False):
    """What the nodes pass on."""

    num_visited: int


async def visit(state: State) -> State:
    """Do nothing but be there."""
    return {"num_visited": state["num_visited"] + 1}


async def main() -> None:
    """Serve batches of the job ``run``."""
    graph = StateGraph(State)
    names = [f"node_{number}" for number in range(NUM_NODES)]
    for name in names:
        graph.add_node(name, visit)
    for first, second in itertools.pairwise([START, *names, END]):
        graph.add_edge(first, second)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoints.sqlite"
        async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
            compiled = graph.compile(checkpointer=saver)
            threads = itertools.count()

            async def run() -> Mapping[str, float]:
                thread = {"configurable": {"thread_id": str(next(threads))}}
                started = time.perf_counter()
                state = await compiled.ainvoke({"num_visited": 0}, thread)  # type: ignore[call-overload]
                took_ms = (time.perf_counter() - started) * 1000
                if state["num_visited"] != NUM_NODES:
                    raise RuntimeError(f"a run visited {state['num_visited']} nodes")
                return {"run": took_ms}

            await serve({"run": run})


if __name__ == "__main__":
    uvloop.run(main())
