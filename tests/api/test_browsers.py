"""What pages can make a browser do here: of other sites nothing, of ours what they are for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.origin import host_allowed
from bus.connection import BusAddress
from contracts.run_id import new_run_id
from tests.api.house import open_house

CANCEL = f"/orchestrator/runs/{new_run_id()}/cancel"
OURS = "https://chat.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("localhost", True),
        ("localhost:8321", True),
        ("127.0.0.1:8321", True),
        ("127.9.9.9", True),
        ("[::1]:8321", True),
        ("bus.example", True),
        ("BUS.example:99", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("bus.example.evil", False),
        ("user@localhost@evil.example", False),
        ("10.0.0.1", False),
        ("", False),
        ("[::1", False),
        ("localhost:port", False),
    ],
)
def test_which_names_lead_here(host: str, is_allowed: bool) -> None:
    assert host_allowed(host, {"bus.example"}) is is_allowed


@given(st.text())
def test_any_text_may_stand_in_a_host_header(host: str) -> None:
    host_allowed(host, ())


async def test_a_name_bent_to_this_machine_leads_nowhere(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=(), allowed_hosts=()) as house:
        async with house.http() as http:
            for path in ("/", "/health", "/v1/models", "/system/actors"):
                answer = await http.get(path, headers={"Host": "evil.example"})
                assert answer.status_code == 421
            assert (await http.get("/", headers={"Host": "localhost:1"})).status_code == 200
            error = (await http.get("/v1/models", headers={"Host": "evil.example"})).json()
            assert error["error"]["code"] == "foreign_host"


async def test_pages_of_other_sites_change_nothing_and_read_nothing(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        for origin, host, status in (
            ("https://evil.example", "localhost:8321", 403),
            ("null", "localhost:8321", 403),
            (OURS, "localhost:8321", 403),
            ("http://localhost:3000", "localhost:8321", 404),
            ("http://testserver", "testserver", 404),
        ):
            headers = {"Origin": origin, "Host": host}
            assert (await http.post(CANCEL, headers=headers)).status_code == status
            read = await http.get("/health/live", headers=headers)
            assert "access-control-allow-origin" not in read.headers
            preflight = await http.options(CANCEL, headers={**headers, **PREFLIGHT})
            assert preflight.status_code in {403, 405}
            assert "access-control-allow-origin" not in preflight.headers


async def test_pages_of_a_site_that_is_allowed_may_use_it(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(
        address, data_dir, kinds=(), with_keys=True, allowed_origins=(OURS,)
    ) as house:
        token, _ = await house.new_key()
        async with house.http() as http:
            preflight = await http.options(CANCEL, headers={"Origin": OURS, **PREFLIGHT})
            assert preflight.status_code == 200
            assert preflight.headers["access-control-allow-origin"] == OURS
            assert "Authorization" in preflight.headers["access-control-allow-headers"]
            assert "access-control-allow-credentials" not in preflight.headers
            headers = {"Origin": OURS, "Authorization": f"Bearer {token}"}
            answer = await http.post(CANCEL, headers=headers)
            assert answer.status_code == 403
            assert answer.json()["code"] == "missing_scope"
            assert answer.headers["access-control-allow-origin"] == OURS
            foreign = {"Origin": "https://evil.example"}
            assert (await http.post(CANCEL, headers=foreign)).json()["code"] == "foreign_origin"
            denied = await http.options(CANCEL, headers={**foreign, **PREFLIGHT})
            assert "access-control-allow-origin" not in denied.headers


async def test_every_answer_tells_browsers_what_it_may_be_used_for(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house:

        async def broken() -> None:
            raise ValueError

        house.app.add_api_route("/broken", broken)
        async with house.http() as http:
            for path, status in (
                ("/", 200),
                ("/docs", 200),
                ("/openapi.json", 200),
                ("/nosuch", 404),
                ("/broken", 500),
                ("/v1/models/nosuch", 404),
            ):
                answer = await http.get(path)
                assert answer.status_code == status
                policy = answer.headers["content-security-policy"]
                assert policy.startswith("default-src 'self';")
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert answer.headers["cache-control"] == "no-store"
                assert "server" not in answer.headers


async def test_the_page_of_routes_needs_nothing_from_elsewhere(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=(), with_keys=True) as house:
        async with house.http() as http:
            page = await http.get("/docs")
            style = await http.get("/docs/style.css")
    assert page.headers["content-type"].startswith("text/html")
    assert "POST /v1/chat/completions" in page.text
    assert "scope submit" in page.text
    assert "<script" not in page.text
    assert "//" not in page.text.replace("http://www.w3.org", "")
    assert style.headers["content-type"].startswith("text/css")
