"""A real Chromium, and what goes wrong in its pages."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
# One slow core must be able to start a browser beside all else it does.
PATIENCE_MS = 15_000


@dataclass
class Faults:
    """What a page complained of, and which other servers it asked."""

    told: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tab:
    """One page of the browser, and its faults."""

    page: Page
    faults: Faults
    url: str

    async def show(self, hash_: str) -> None:
        """Open the screen at ``hash_``."""
        await self.page.goto(f"{self.url}/{hash_}")


def find_chromium() -> str:
    """Where Chromium is; the test is skipped where it is not, and fails where CI lacks it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = "no Chromium on PATH; install it: apt-get install -y chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@asynccontextmanager
async def open_tab(
    url: str,
    *,
    width: int = 1440,
    height: int = 900,
    scheme: Literal["light", "dark"] = "light",
) -> AsyncIterator[Tab]:
    """A browser with one page, not on ``url`` yet."""
    path = find_chromium()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield await new_tab(browser, url, width=width, height=height, scheme=scheme)
        finally:
            await browser.close()


async def new_tab(
    browser: Browser, url: str, *, width: int, height: int, scheme: Literal["light", "dark"]
) -> Tab:
    """One more page in ``browser``, with nothing remembered from others."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    faults = Faults()
    page.on(
        "console",
        lambda message: faults.told.append(message.text) if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: faults.told.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(f"{url}/") else faults.foreign.append(request.url)
        ),
    )
    page.on("dialog", lambda dialog: faults.told.append(f"dialog: {dialog.message}"))
    return Tab(page, faults, url)
