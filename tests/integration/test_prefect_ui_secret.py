"""A secret of an asset in Prefect's UI, in a real browser: hidden, and given a new value."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from prefect_phantom.flows.inside.secrets.secret import SLUG
from tests.system import System

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
PATIENCE = 30_000.0
"""In milliseconds, as the browser counts."""
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Prefect's UI is not tested: there is no Chromium on this machine"
)


@pytest.fixture
def page(system: System) -> Iterator[Page]:
    """A page of Prefect's UI, logged in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
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


def value(system: System, block: str) -> str:
    """What a run reads from the block."""
    user, _, password = system.prefect_auth.partition(":")
    path = f"/block_types/slug/{SLUG}/block_documents/name/{block}?include_secrets=true"
    answer = httpx.get(f"{system.prefect_url}{path}", auth=(user, password))
    found: str = answer.json()["data"]["value"]
    return found


def test_a_secret_is_hidden_in_the_ui_and_its_form_gives_it_a_new_value(
    system: System, page: Page
) -> None:
    secret = f"s3cret-{uuid4().hex}"
    new = {"name": f"a {uuid4().hex[:8]}", "app": "Seen", "secrets": {"api_key": secret}}
    made = system.post("/rest/asset", new)["id"]
    block = system.get(f"/rest/asset/{made}")["secret_blocks"]["api_key"]
    page.goto(f"{ui(system)}/blocks")
    page.get_by_role("link", name=block).first.click()
    expect(page.get_by_text("A secret setting of an asset")).to_be_visible()
    expect(page.get_by_text("*" * 8)).to_be_visible()
    assert secret not in page.content()
    page.locator("button[aria-haspopup=menu]").last.click()
    page.get_by_role("menuitem", name="Edit").click()
    field = page.get_by_label("Value")
    expect(field).to_be_visible()
    assert secret not in page.content()
    field.fill(f"{secret}-2")
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as saved:
        page.get_by_role("button", name="Save").click()
    assert saved.value.ok
    assert value(system, block) == f"{secret}-2"
