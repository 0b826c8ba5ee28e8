"""A job as the body of a chat completion; pure."""

from typing import Any, Final

from contracts.prompt import ResponseFormat
from providers.generation_job import GenerationJob

# OpenAI refuses more; the rest is looked for on this side, where all are.
MAX_STOPS: Final = 4


def build_request(job: GenerationJob) -> dict[str, Any]:
    """The fields of ``POST /chat/completions`` for ``job``.

    What the protocol has no field for (``repetition_penalty``) is left out.
    """
    body: dict[str, Any] = {
        "model": job.entry.source,
        "messages": [{"role": turn.role, "content": turn.content} for turn in job.messages],
        job.entry.max_tokens_field: job.max_tokens,
        "temperature": job.temperature,
        "top_p": job.top_p,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if job.seed is not None:
        body["seed"] = job.seed
    if job.stop:
        body["stop"] = list(job.stop[:MAX_STOPS])
    if job.response_format is not None and job.response_format.type != "text":
        body["response_format"] = _format(job.response_format)
    return body


def _format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.type != "json_schema" or wanted.json_schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", **wanted.json_schema}}
