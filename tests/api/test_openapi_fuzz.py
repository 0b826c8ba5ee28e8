"""Requests made up from the OpenAPI document: whatever comes, no fault of the server's own."""

from pathlib import Path
from typing import Any

import anyio
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from bus.connection import BusAddress
from contracts.api_key import Scope
from tests.api.house import open_house, serve

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
QUICK = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def _fuzz(document: dict[str, Any], url: str, token: str) -> list[str]:
    """Call every operation of ``document`` some times; what was not right."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=url)
    # Streams go on until their client leaves.
    finite = schema.exclude(path_regex="/stream$")
    operations = []
    for found in finite.get_all_operations():
        assert isinstance(found, Ok), found
        operations.append(found.ok())
    assert len(operations) > 20
    return [fault for operation in operations for fault in _try(operation, token)]


def _try(operation: Any, token: str) -> list[str]:
    faults: list[str] = []
    cases = operation.as_strategy() | operation.as_strategy(GenerationMode.NEGATIVE)

    @QUICK
    @given(cases, st.booleans())
    def call(case: Any, is_known: bool) -> None:
        if is_known and isinstance(case.body, dict) and "model" in case.body:
            case.body = {**case.body, "model": "echo"}
        headers = {"Authorization": f"Bearer {token}"}
        answer = case.call(headers=headers, timeout=20)
        try:
            case.validate_response(answer, checks=CHECKS)
        except schemathesis.errors.SchemathesisError as exc:
            faults.append(f"{operation.label}: {exc}")
        except BaseExceptionGroup as group:
            faults.extend(f"{operation.label}: {exc}" for exc in group.exceptions)

    call()
    return faults


# The server draws random numbers in this process while hypothesis draws a request.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
async def test_no_request_from_the_document_meets_a_fault_of_the_server(
    address: BusAddress, data_dir: Path
) -> None:
    async with (
        open_house(address, data_dir, with_keys=True) as house,
        serve(house.app) as port,
    ):
        token, _ = await house.new_key(Scope.ADMIN)
        url = f"http://127.0.0.1:{port}"
        faults = await anyio.to_thread.run_sync(_fuzz, house.app.openapi(), url, token)
        assert (await house.client.journal.read("0" * 32)) == []
    assert faults == []
