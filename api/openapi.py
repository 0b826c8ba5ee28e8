"""The OpenAPI document, completed with the bodies that routes read themselves."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.problem import MEDIA_TYPE, Problem

SCHEMA_REF = "#/components/schemas/{model}"

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMA_REF.format(model=Problem.__name__)}}},
    }
    for status, description in (("4XX", "the request is refused"), ("5XX", "it cannot be served"))
}


def build_openapi(app: FastAPI, models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """The document of ``app`` with the schemas of ``models``, the bodies its routes refer to.

    Raises: ValueError when a name would stand for two different schemas.
    """
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    wanted = [(model, "validation") for model in (*models, Problem)]
    _, added = models_json_schema(wanted, ref_template=SCHEMA_REF)  # type: ignore[arg-type]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in added["$defs"].items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two schemas are named {name}")
    return document
