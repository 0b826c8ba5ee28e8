"""What the bridge is held against: a bare FastAPI route, and one who answers on the bus.

Serves both until it is ended: the route ``/bare`` on the port that its one argument names, with
uvicorn and the bridge's settings of it, and requests on the subject :data:`HOP`.
"""

import asyncio
import sys

import uvicorn
import uvloop
from fastapi import FastAPI
from nats.aio.msg import Msg

from api.limits import ApiLimits
from promptbus.process import open_process
from promptbus.settings import load_settings

HOP = "benchmark.hop"


async def main(port: int) -> None:
    """Serve the bare parts."""
    app = FastAPI()

    @app.get("/bare")
    async def bare() -> dict[str, str]:
        return {"status": "alive"}

    async def answer(message: Msg) -> None:
        await message.respond(message.data)

    options = ApiLimits().uvicorn_options()
    config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, **options)
    async with open_process(load_settings(), "benchmark-bare", ()) as process:
        await process.connection.client.subscribe(HOP, cb=answer)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
