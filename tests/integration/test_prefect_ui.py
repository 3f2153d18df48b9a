"""A playbook in Prefect's UI, in a real browser: start it by its form, see it end, read results."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.system import RUN_SECONDS, System

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
PATIENCE = 30_000.0
"""In milliseconds, as the browser counts."""
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Prefect's UI is not tested: there is no Chromium on this machine"
)
PLAYBOOK = """
from typing import Literal

from pydantic import BaseModel, Field

from prefect_phantom import ActionResult, PlaybookRun, action, playbook


class Inputs(BaseModel):
    word: str = Field(description="What to say")
    loud: Literal["softly", "loudly"] = Field(default="softly", description="How to say it")


@action("say", app="Voice")
def say(word: str, loud: str) -> ActionResult:
    return ActionResult(message=f"{word} said {loud}", summary={"letters": len(word)})


@playbook(inputs=Inputs)
def speaks(run: PlaybookRun[Inputs]) -> None:
    '''Say a word.'''
    print("about to say", run.inputs.word)
    say(run.inputs.word, run.inputs.loud)
"""


HOSTILE = (
    "![](https://evil.example/a.png) [sign in](https://evil.example/) "
    "www.evil.example a@evil.example"
)
SHOWS = """
from prefect_phantom import ActionResult, PlaybookRun, action, playbook


@action("repeat", app="Voice")
def repeat(word: str) -> ActionResult:
    return ActionResult(message=word, summary={"word": word})


@playbook
def shows(run: PlaybookRun) -> None:
    repeat(run.container.name)
"""


@pytest.fixture(scope="module")
def page(system: System) -> Iterator[Page]:
    """A page of Prefect's UI, logged in."""
    (system.playbooks / "speaks.py").write_text(PLAYBOOK)
    system.known("local/speaks")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1300})
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.goto(f"{ui(system)}/login")
        page.locator("input").first.fill(system.prefect_auth)
        page.keyboard.press("Enter")
        page.wait_for_url("**/dashboard**")
        yield page
        browser.close()


def ui(system: System) -> str:
    return f"{system.prefect_url.removesuffix('/api')}/v2"


def shown(page: Page, name: str, folder: Path) -> None:
    """Keep what is on the screen, for whoever wants to look."""
    page.screenshot(path=folder / f"{name}.png")


@pytest.mark.timeout(300)  # a dozen pages, on a machine that does other things too
def test_a_playbook_is_started_by_its_form_seen_to_end_and_its_results_are_read(
    system: System, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{ui(system)}/deployments")
    page.get_by_placeholder("Search deployments").fill("speaks")
    expect(page.get_by_role("link", name="speaks", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="local", exact=True)).to_have_count(1)
    page.get_by_role("link", name="local", exact=True).click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()

    # Descriptions, choices and checks.
    expect(page.get_by_text("Id of the container to run on.")).to_be_visible()
    expect(page.get_by_text("What to say")).to_be_visible()
    container = page.get_by_label("container_id")
    container.fill("0")
    page.get_by_role("button", name="Submit").click()
    assert "greater than or equal to 1" in container.evaluate("field => field.validationMessage")
    container.fill("42")
    page.get_by_label("Word").fill("hello")
    shown(page, "form", tmp_path)
    page.get_by_role("button", name="Submit").click()

    # Its name is that of container and playbook, once it has begun.
    run = page.get_by_role("link", name=re.compile("Sample: suspicious .*: speaks #"))
    deadline = time.monotonic() + RUN_SECONDS
    page.wait_for_url("**tab=Runs")
    while not run.count():
        assert time.monotonic() < deadline
        page.reload()
        page.wait_for_timeout(500)
    run.first.click()
    expect(page.get_by_text("Completed").first).to_be_visible()
    # As Prefect measures the room, it puts tags beside the name or behind a button, "+4".
    expect(page.get_by_text("label:events").first).to_be_attached()
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_text("about to say hello").first).to_be_visible()

    page.get_by_role("tab", name="Artifacts").click()
    shown(page, "artifacts", tmp_path)
    page.locator("a[href*='/artifacts/artifact/']").filter(has_text="say").click()
    expect(page.get_by_title("hello said softly")).to_be_visible()
    link = page.get_by_role("link", name="All of it").get_attribute("href") or ""
    assert link.startswith(f"{system.url}/rest/action_run/")
    shown(page, "table", tmp_path)
    answer = system.get(link.removeprefix(system.url))
    assert answer["data"][0]["result_data"][0]["message"] == "hello said softly"


@pytest.mark.attack(
    "links, images and bare addresses in what a run shows in Prefect's UIs",
    "are text in both, in summary, table and description",
)
@pytest.mark.timeout(300)
def test_what_a_run_shows_is_text_in_both_uis(system: System, page: Page, tmp_path: Path) -> None:
    (system.playbooks / "shows.py").write_text(SHOWS)
    system.known("local/shows")
    container = system.post("/rest/container", {"label": "events", "name": HOSTILE})["id"]
    run = system.ended(system.start("local/shows", container_id=container))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    wanted = {"artifacts": {"flow_run_id": {"any_": [run["misc"]["flow_run_id"]]}}}
    artifacts: list[dict[str, Any]] = []
    deadline = time.monotonic() + RUN_SECONDS
    while {each["type"] for each in artifacts} != {"table", "markdown"}:
        assert time.monotonic() < deadline
        user, _, password = system.prefect_auth.partition(":")
        url = f"{system.prefect_url}/artifacts/filter"
        artifacts = httpx.post(url, json=wanted, auth=(user, password)).json()
    old = ui(system).removesuffix("/v2")
    page.goto(f"{old}/login")
    page.get_by_placeholder("admin:pass").fill(system.prefect_auth)
    page.get_by_role("button", name="Login").click()
    page.wait_for_url("**/dashboard**")
    for root in (old, ui(system)):
        for artifact in artifacts:
            page.goto(f"{root}/artifacts/artifact/{artifact['id']}")
            expect(page.get_by_text("sign in").first).to_be_visible()
            shown(page, f"{artifact['type']}-{'v2' if root != old else 'v1'}", tmp_path)
            links = page.locator("a[href*='evil'], a[href^='mailto'], img[src*='evil']")
            expect(links).to_have_count(0)
    assert not [url for url in asked if "evil.example" in url]
