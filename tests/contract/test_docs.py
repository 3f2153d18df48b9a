"""What is published of the contract is readable by everybody, and safe in a browser."""

from __future__ import annotations

import re

import pytest

PAGES = ["/openapi.json", "/docs", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"]


@pytest.mark.parametrize("path", [*PAGES, "/docs/start.js", "/docs/"])
async def test_the_description_needs_no_credentials(anonymous, path):
    response = await anonymous.get(path)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.usefixtures("container")
async def test_the_document_tells_nothing_of_this_installation(anonymous, credentials):
    text = (await anonymous.get("/openapi.json")).text
    document = (await anonymous.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert "/metrics" in document["paths"]
    for secret in (credentials.password, credentials.token, "gateway", "operator"):
        assert f'"{secret}"' not in text


async def test_the_page_takes_nothing_from_elsewhere_and_has_no_script_inside(anonymous):
    page = (await anonymous.get("/docs")).text
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page) == ["", ""]
    for path in re.findall(r"(?:src|href)=\"(docs/[^\"]+)\"", page):
        assert (await anonymous.get(f"/{path}")).status_code == 200


@pytest.mark.attack("other files through `/docs`", "404")
@pytest.mark.parametrize("name", ["redoc.standalone.js", "..%2fcore.py", "../core.py", ""])
async def test_no_other_file_is_handed_out(anonymous, name):
    response = await anonymous.get(f"/docs/x/{name}" if not name else f"/docs/{name}")
    assert response.status_code == 404
    assert response.json()["failed"] is True


async def test_a_page_of_another_site_gets_none_of_it(anonymous):
    response = await anonymous.get("/openapi.json", headers={"Origin": "https://evil.example"})
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers
