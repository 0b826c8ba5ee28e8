"""A run as one call, for Python programs.

from promptbus.orchestrator import run_orchestrator

run_orchestrator("What is 12 + 7?")["output"]
"""

import json
from typing import Any

import anyio
from pydantic import ValidationError

from bus.prompt_client import PromptClient
from contracts.envelope import first_problem
from contracts.errors import InvalidInput
from contracts.prompt import PromptRequest, SubmitPrompt
from contracts.run_id import new_run_id
from promptbus.running import running
from promptbus.settings import Settings, load_settings


def run_orchestrator(
    prompt: str,
    *,
    timeout_s: float | None = None,
    settings: Settings | None = None,
    **wishes: Any,
) -> dict[str, Any]:
    """Run ``prompt`` through all actors and wait for the outcome, whatever it is.

    The answer is what ``POST /orchestrator/run`` gives: ``state``, ``output``, ``task_type``,
    ``selected_model``, ``execution_metrics``, ``flow`` with ``nodes`` and ``edges``, and more.
    ``wishes`` are the other fields of that request: ``model``, ``max_tokens``, ``session_id`` …
    The promptbus is the one of ``settings``, by default those of the environment: the server of
    ``PROMPTBUS_NATS_URL``, or the promptbus that runs on the data folder.

    Not for code that runs in an event loop: that awaits :func:`arun_orchestrator`.

    Raises: InvalidInput for a wish that cannot be; NotReady where no promptbus runs;
    DeadlineExceeded after ``timeout_s``, and then the run goes on; BusUnavailable, QueueFull.
    """

    async def run() -> dict[str, Any]:
        return await arun_orchestrator(prompt, timeout_s=timeout_s, settings=settings, **wishes)

    return anyio.run(run)


async def arun_orchestrator(
    prompt: str,
    *,
    timeout_s: float | None = None,
    settings: Settings | None = None,
    **wishes: Any,
) -> dict[str, Any]:
    """The same, for code that runs in an event loop."""
    request = _request({"prompt": prompt, **wishes})
    async with (
        running(settings or load_settings(), "program") as process,
        PromptClient(process.connection, process.publisher, process.stored) as client,
    ):
        submitted = SubmitPrompt.of(request, new_run_id())
        run_id = await client.submit(submitted, request.priority)
        view = await client.wait(run_id, timeout_s=timeout_s)
    return view.model_dump(mode="json")


def _request(fields: dict[str, Any]) -> PromptRequest:
    try:
        return PromptRequest.model_validate_json(json.dumps(fields))
    except ValidationError as exc:
        where, reason = first_problem(exc)
        raise InvalidInput(field=where, reason=reason) from exc
    except TypeError as exc:
        raise InvalidInput(field="wishes", reason="are not all values that JSON has") from exc
