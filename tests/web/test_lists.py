"""Runs, hosts, queues and dead letters in a browser."""

import json
from pathlib import Path

from playwright.async_api import expect

from bus.connection import BusAddress
from contracts.presence import DeviceReport, HostReport
from tests.api.house import SLOW, SlowExecutor
from tests.web.chromium import open_tab
from tests.web.journals import write_answered_runs
from tests.web.served_page import open_page

NUM_RUNS = 60
PAGE_SIZE = 50
GIB = 2**30


class LoadingExecutor(SlowExecutor):
    """Has a GPU, and loads its model for ever."""

    async def describe(self) -> HostReport:
        """A host whose one model is on its way."""
        report = await super().describe()
        gpu = DeviceReport(
            name="cuda:0",
            kind="cuda",
            total_bytes=8 * GIB,
            free_bytes=5 * GIB,
            evictable_bytes=GIB,
        )
        changes = {"resident": False, "loading": 0.4, "size_bytes": 2 * GIB}
        model = report.models[0].model_copy(update=changes)
        return report.model_copy(update={"devices": (gpu,), "models": (model,)})


async def test_runs_are_found_paged_cancelled_and_asked_again(
    address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor(pause_s=0.05)
    async with open_page(address, data_dir, slow=slow) as served:
        async with open_tab(served.url) as tab:
            page, rows = tab.page, tab.page.locator("tbody tr")
            await tab.show("#/runs")
            await expect(page.get_by_text("No prompt was asked yet.")).to_be_visible()
            names = [f"Number {number} of many" for number in range(NUM_RUNS)]
            await write_answered_runs(served.house.process.journal, names)
            await expect(rows).to_have_count(PAGE_SIZE)
            await page.get_by_role("button", name="Show older runs").click()
            await expect(rows).to_have_count(NUM_RUNS)
            await page.keyboard.press("/")
            await page.keyboard.type("number 41")
            await expect(rows).to_have_count(1)
            assert "q=number+41" in page.url
            await page.get_by_role("link", name="again").click()
            await expect(page.get_by_role("textbox", name="Prompt")).to_have_value(
                "Number 41 of many"
            )
            await served.ask("talk for long", model=SLOW, waits=False)
            await tab.show("#/runs?state=running")
            await page.get_by_role("button", name="cancel").click()
            await expect(page.get_by_text("No run fits.")).to_be_visible()
            await tab.show("#/runs?state=cancelled")
            await expect(rows).to_have_count(1)
            await page.keyboard.press("j")
            await page.keyboard.press("Enter")
            await expect(page.locator('[data-fact="state"]')).to_have_text("cancelled")
            assert tab.faults.told == []


async def test_hosts_tell_their_memory_and_what_is_loading(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_page(address, data_dir, slow=LoadingExecutor()) as served:
        async with open_tab(served.url) as tab:
            await tab.show("#/hosts")
            host = tab.page.get_by_role("region", name="Host tortoise")
            await expect(host.locator(".memory-bar")).to_have_attribute(
                "aria-label", "2.0 GiB held, 1.0 GiB may be freed, 5.0 GiB free"
            )
            row = host.locator("tbody tr", has_text=SLOW)
            await expect(row.locator("progress")).to_have_attribute("value", "0.4")
            await expect(row).to_contain_text("40 %")
            await tab.show("#/queues")
            await expect(tab.page.get_by_role("region", name="Generations")).to_contain_text(SLOW)
            await expect(tab.page.get_by_role("region", name="Streams")).to_contain_text("RUNS")
            assert tab.faults.told == []


async def test_a_dead_letter_is_corrected_and_sent_again(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_page(address, data_dir) as served, open_tab(served.url) as tab:
        page = tab.page
        await tab.show("#/dead")
        await expect(page.get_by_text("No dead letters.")).to_be_visible()
        jetstream = served.house.process.connection.jetstream
        await jetstream.publish("prompts.normal", b'{"prompt": 5}')
        await tab.show("")
        await expect(page.get_by_label("1 open")).to_be_visible(timeout=10_000)
        await tab.show("#/dead")
        await page.locator("[data-row-link]").click()
        await expect(page.locator(".letter").get_by_text("malformed_message")).to_be_visible()
        payload = page.get_by_label("Payload")
        await payload.fill('{"prompt": ')
        await page.get_by_role("button", name="Save the correction").click()
        await expect(page.locator(".letter form .problem")).to_be_visible()
        await payload.fill(json.dumps({"prompt": "Say hello", "model": "echo"}))
        await page.get_by_role("button", name="Save the correction").click()
        await page.get_by_role("button", name="Send again").click()
        await expect(page.locator(".letter .tag")).to_have_text("replayed")
        await page.get_by_text("replayed as").locator("xpath=..").get_by_role("link").click()
        await expect(page.locator(".markdown")).to_have_text("Say hello")
