"""Every route has its scope: each one refuses without a key, and with one for something else."""

from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access import OPEN_PATHS, SOCKET, needed_scopes
from bus.connection import BusAddress
from contracts.api_key import Scope
from contracts.run_id import new_run_id
from tests.api.house import House, open_house

READ, SUBMIT, ADMIN = (
    frozenset({Scope.READ}),
    frozenset({Scope.SUBMIT}),
    frozenset({Scope.ADMIN}),
)


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", "/health/live", None),
        ("HEAD", "/", None),
        ("POST", "/", ADMIN),
        ("GET", "/assets/page.js", None),
        ("POST", "/assets/page.js", ADMIN),
        (SOCKET, "/assets/page.js", READ),
        (SOCKET, "/health", READ),
        ("POST", "/orchestrator/run", SUBMIT),
        ("POST", "/orchestrator/runs", SUBMIT),
        ("GET", "/orchestrator/runs", READ),
        ("GET", "/orchestrator/runs/x/events", READ),
        ("POST", "/orchestrator/runs/x/cancel", SUBMIT),
        (SOCKET, "/orchestrator/ws", SUBMIT),
        (SOCKET, "/orchestrator/runs/x/ws", READ),
        (SOCKET, "/no/such\nsocket", READ),
        ("POST", "/inference/", SUBMIT),
        ("POST", "/v1/chat/completions", SUBMIT),
        ("POST", "/v1/completions", SUBMIT),
        ("GET", "/v1/models/a/b", READ | SUBMIT),
        ("GET", "/models", READ | SUBMIT),
        ("POST", "/v1/embeddings", READ | SUBMIT),
        ("GET", "/system/hosts", READ),
        ("POST", "/cache/evict", ADMIN),
        ("DELETE", "/system/dead/7", ADMIN),
        ("PROPFIND", "/orchestrator/run", ADMIN),
    ],
)
def test_the_scopes_of_an_address(method: str, path: str, scopes: frozenset[Scope] | None) -> None:
    assert needed_scopes(method, path) == scopes


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", SOCKET]), st.text())
def test_what_is_not_listed_is_closed(method: str, path: str) -> None:
    scopes = needed_scopes(method, f"/{path}")
    assert scopes or f"/{path}" in OPEN_PATHS or path.startswith("assets/")


def _operations(house: House) -> list[tuple[str, str]]:
    """All routes of the application but the open ones, with something in place of parameters."""
    found = []
    for path, operations in house.app.openapi()["paths"].items():
        told = path.replace("{run_id}", new_run_id()).replace("{model}", "echo")
        found += [(method.upper(), told.replace("{", "").replace("}", "")) for method in operations]
    return [(method, path) for method, path in found if needed_scopes(method, path) is not None]


async def test_each_route_of_the_document_refuses_without_its_key(
    address: BusAddress, data_dir: Path
) -> None:
    wrong: list[str] = []
    async with open_house(address, data_dir, kinds=(), with_keys=True) as house:
        operations = _operations(house)
        tokens = {scope: (await house.new_key(scope))[0] for scope in Scope}
        async with house.http() as http:
            for method, path in operations:
                scopes = needed_scopes(method, path) or frozenset()
                for headers, status in (
                    ({}, 401),
                    ({"Authorization": "Basic dTpw"}, 401),
                    ({"Authorization": f"Bearer {tokens[Scope.ADMIN][:-1]}"}, 401),
                    *(
                        ({"Authorization": f"Bearer {tokens[scope]}"}, 403)
                        for scope in Scope
                        if scope not in scopes | ADMIN
                    ),
                ):
                    answer = await http.request(method, path, headers=headers)
                    if answer.status_code != status or "www-authenticate" not in answer.headers:
                        wrong.append(f"{method} {path} {status}: {answer.status_code}")
    assert len(operations) > 10
    assert wrong == []


async def test_each_route_of_the_document_names_its_scope(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=(), with_keys=True) as house:
        document = house.app.openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("x-scopes" in operation) == bool(operation["security"])
            assert operation["security"] or path in OPEN_PATHS


async def test_a_key_opens_what_it_is_for(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir, with_keys=True) as house:
        submit, _ = await house.new_key(Scope.SUBMIT)
        read, _ = await house.new_key(Scope.READ)
        admin, _ = await house.new_key(Scope.ADMIN)
        async with house.http() as http:

            async def ask(method: str, path: str, token: str) -> httpx2.Response:
                body = {"prompt": "hi", "model": "echo"} if method == "POST" else None
                headers = {"Authorization": f"Bearer {token}"}
                return await http.request(method, path, json=body, headers=headers)

            run = await ask("POST", "/orchestrator/run", submit)
            assert (run.status_code, run.json()["output"]) == (200, "hi")
            shown = f"/orchestrator/runs/{run.json()['run_id']}"
            assert (await ask("GET", shown, submit)).status_code == 403
            assert (await ask("GET", shown, read)).status_code == 200
            assert (await ask("POST", "/orchestrator/run", read)).status_code == 403
            assert (await ask("POST", "/orchestrator/run", admin)).status_code == 200
            for token in (submit, read, admin):
                assert (await ask("GET", "/v1/models", token)).status_code == 200
            for path in ("/", "/health/live", "/docs", "/openapi.json"):
                assert (await http.get(path)).status_code == 200
