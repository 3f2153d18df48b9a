"""Contract 9 and our decision: no browser may carry a foreign page's request."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://gateway.evil.example"},
        {"Origin": "http://gateway:8080"},
        {"Origin": "https://gateway"},  # port 443, and the request was sent to port 80
        {"Origin": "file://"},
        {"Origin": "http://gateway:port"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "Cross-Site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://gateway"},
    ],
)
async def test_a_request_from_another_site_is_refused(client, shelf, container, headers):
    body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
    headers = headers | {"Host": "gateway:80", "Content-Type": "text/plain"}
    response = await client.post("/rest/playbook_run", json=body, headers=headers)
    assert response.status_code == 403
    assert response.json()["failed"] is True
    assert response.json()["message"].startswith("Requests from another site are refused: ")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://gateway"},
        {"Origin": "http://GATEWAY:80", "Host": "gateway:80"},
        {"Origin": "https://soar.example:8443", "Host": "soar.example:8443"},
        {"Origin": "https://soar.example", "Host": "soar.example"},
        {"Origin": "https://[::1]:8443", "Host": "[::1]:8443"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": "https://wiki.example/how-to"},
    ],
)
async def test_a_program_or_a_page_of_ours_is_served(client, shelf, container, headers):
    body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
    response = await client.post("/rest/playbook_run", json=body, headers=headers)
    assert response.status_code == 200


@pytest.mark.attack(
    "a page of another site asks whether it may (CORS)", "refused; no header allows it"
)
async def test_a_preflight_from_another_site_is_refused(anonymous):
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response = await anonymous.options("/rest/playbook_run", headers=headers)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers
