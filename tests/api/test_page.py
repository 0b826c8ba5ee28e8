"""The page for browsers and JSON for programs, at the same address."""

from pathlib import Path

import httpx2
import pytest

from api.limits import ApiLimits
from api.page import prefers_html
from api.server import create_app
from bus.connection import BusAddress
from tests.api.house import VERSION, open_house

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (CHROMIUM, True),
        ("text/html", True),
        ("TEXT/HTML;level=1", True),
        ("text/html, application/json;q=0.5", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("text/html;q=nan", False),
        ("text/html;q=x", False),
        (",,;;,", False),
    ],
)
def test_who_prefers_html_gets_it(accept: str, wanted: bool) -> None:
    assert prefers_html(accept) is wanted


async def test_browsers_get_the_page_and_programs_json(address: BusAddress, data_dir: Path) -> None:
    folder = data_dir / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>runs</title>")
    (folder / "assets" / "main.js").write_text("start()")
    async with open_house(address, data_dir, kinds=()) as house:
        app = create_app(
            client=house.client,
            board=house.process.board,
            connection=house.process.connection,
            limits=ApiLimits(),
            version=VERSION,
            page_folder=folder,
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
            page = await http.get("/", headers={"Accept": CHROMIUM})
            assert page.headers["content-type"].startswith("text/html")
            assert "<title>runs</title>" in page.text
            assert page.headers["vary"] == "Accept"
            root = await http.get("/")
            assert (root.json()["name"], root.headers["vary"]) == ("promptbus", "Accept")
            assert (await http.get("/assets/main.js")).text == "start()"
            for path in ("/assets/none.js", "/assets/../index.html", "/assets/%2e%2e/index.html"):
                answer = await http.get(path)
                assert answer.status_code == 404
                assert answer.headers["content-type"] == "application/problem+json"
        async with house.http() as http:
            # Where no page was built browsers get what programs get.
            assert (await http.get("/", headers={"Accept": CHROMIUM})).json()["name"] == "promptbus"
