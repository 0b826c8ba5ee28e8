"""All routes on one page: no script, nothing from another site."""

from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
section { border-top: 1px solid #8886; padding: .75rem 0; }
code, pre { font-family: ui-monospace, monospace; }
.path { font-weight: 600; overflow-wrap: anywhere; }
.scope { float: right; font-size: .85rem; opacity: .8; }
p, pre { margin: .25rem 0; white-space: pre-line; }
"""


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The page; `/openapi.json` is the same for programs."""
    return HTMLResponse(build_page(request.app.openapi()))


@router.get("/docs/style.css")
async def style() -> Response:
    """How the page looks."""
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


def build_page(document: dict[str, Any]) -> str:
    """The page of an OpenAPI ``document``; pure."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = next(iter(operation.get("tags", ())), "other")
            groups.setdefault(tag, []).append("".join(_operation(method, path, operation)))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(all_)}" for tag, all_ in groups.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<link rel="stylesheet" href="docs/style.css"><h1>{title}</h1>'
        f"<p>{escape(info.get('description', ''))} For programs: "
        f'<a href="openapi.json">openapi.json</a>.</p>{body}</html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield "<section>"
    scopes = operation.get("x-scopes")
    if scopes:
        yield f'<span class="scope">scope {escape(" or ".join(scopes))}</span>'
    yield f'<code class="path">{method.upper()} {escape(path)}</code>'
    yield f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>"
    names = [_parameter(one) for one in operation.get("parameters", ()) if one["in"] != "path"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        names.append(f"body: {_body_name(body['schema'])}")
    if names:
        yield f"<pre>{escape(chr(10).join(names))}</pre>"
    yield "</section>"


def _parameter(parameter: dict[str, Any]) -> str:
    told = parameter.get("description", "")
    return f"{parameter['in']} {parameter['name']}" + (f": {told}" if told else "")


def _body_name(schema: dict[str, Any]) -> str:
    refs = [schema, *schema.get("oneOf", ())]
    return " or ".join(one["$ref"].rsplit("/", 1)[-1] for one in refs if "$ref" in one)
