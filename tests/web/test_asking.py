"""Asking, watching and looking closely, as a person at a browser does."""

from pathlib import Path

from playwright.async_api import expect

from bus.connection import BusAddress
from tests.api.house import SLOW, SlowExecutor
from tests.web.chromium import open_tab
from tests.web.served_page import open_page, open_system

HOSTILE = """**bold** <script>document.title = 'owned'</script> <img src=x onerror="alert(1)">

![seen](https://example.org/seen.png) [bad](javascript:alert(1)) [good](https://example.org/)

<iframe src="https://example.org"></iframe>"""
# One transition must be on screen in a quarter of a second; a machine that runs other tests
# beside this one needs longer.
MAX_DELAY_MS = 2_000

_SHOWN_AFTER_MS = """
() => {
  window.shown = {};
  const look = () => {
    for (const step of document.querySelectorAll(".step[data-ended]")) {
      const { step: name, ended } = step.dataset;
      window.shown[name] ??= Date.now() - Date.parse(ended);
    }
  };
  new MutationObserver(look).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["data-ended"],
  });
}
"""


async def test_a_prompt_is_asked_and_its_run_watched_step_by_step(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_page(address, data_dir) as served, open_tab(served.url) as tab:
        page = tab.page
        await tab.show("")
        await page.evaluate(_SHOWN_AFTER_MS)
        await page.keyboard.press("n")
        await page.keyboard.type("Say one two three")
        await page.get_by_label("Model").select_option("echo")
        await page.get_by_text("Limits").click()
        await page.get_by_label("Most tokens").fill("50")
        await page.get_by_role("textbox", name="Prompt").press("Control+Enter")
        await page.wait_for_url("**/#/runs/*")
        await expect(page.locator(".markdown")).to_have_text("Say one two three")
        await expect(page.locator('[data-step="summarizer/1"]')).to_have_attribute(
            "data-state", "done"
        )
        shown = await page.evaluate("window.shown")
        assert set(shown) >= {"analyzer/1", "history/1", "executor/1", "validator/1", "outcome"}
        assert max(shown.values()) < MAX_DELAY_MS, shown
        await page.locator('[data-step="executor/1"]').click()
        detail = page.get_by_role("region", name="Step executor/1")
        for told in (
            "GenerateAnswer",
            "tasks.executor.echo",
            '"max_tokens": 50',
            "AnswerGenerated",
        ):
            await expect(detail).to_contain_text(told)
        await expect(detail.get_by_role("heading", name="Spans")).to_be_visible()
        assert await page.locator(".waterfall-row").count() >= 6
        link = page.url
        await page.goto("about:blank")
        await page.goto(link)
        await expect(page.get_by_role("region", name="Step executor/1")).to_be_visible()
        assert tab.faults.told == []
        assert tab.faults.foreign == []


async def test_hostile_answers_are_text(address: BusAddress, data_dir: Path) -> None:
    async with open_page(address, data_dir) as served, open_tab(served.url) as tab:
        run_id = await served.ask(HOSTILE)
        await tab.show(f"#/runs/{run_id}")
        answer = tab.page.locator(".markdown").first
        await expect(answer).to_contain_text("<script>")
        await expect(answer).to_contain_text("<iframe")
        assert await answer.locator("script, img, iframe").count() == 0
        links = await answer.locator("a").evaluate_all("all => all.map(one => one.href)")
        assert links == ["https://example.org/seen.png", "https://example.org/"]
        assert await tab.page.title() != "owned"
        assert tab.faults.told == []
        assert tab.faults.foreign == []


async def test_a_lost_connection_is_told_and_the_answer_goes_on_whole(
    address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor("wörd ", pause_s=0.05)
    async with open_system(address, data_dir, slow=slow) as served, open_tab(served.url) as tab:
        state = tab.page.locator('[data-fact="state"]')
        async with served.serving():
            run_id = await served.ask("talk", model=SLOW, waits=False, max_tokens=60)
            await tab.show(f"#/runs/{run_id}")
            await expect(tab.page.locator(".markdown")).to_contain_text("wörd wörd")
        await expect(state).to_have_text("running, connection lost")
        await expect(tab.page.get_by_text("cannot be reached")).to_be_visible()
        async with served.serving():
            await expect(state).to_have_text("answered")
            assert await tab.page.locator(".markdown").inner_text() == ("wörd " * 60).strip()
            await expect(tab.page.get_by_text("cannot be reached")).to_be_hidden()


async def test_a_run_is_cancelled_with_one_key(address: BusAddress, data_dir: Path) -> None:
    async with open_page(address, data_dir, slow=SlowExecutor(pause_s=0.05)) as served:
        async with open_tab(served.url) as tab:
            run_id = await served.ask("talk", model=SLOW, waits=False)
            await tab.show(f"#/runs/{run_id}")
            await expect(tab.page.locator(".markdown")).to_contain_text("word word")
            await tab.page.keyboard.press("c")
            await expect(tab.page.locator('[data-fact="state"]')).to_have_text("cancelled")
