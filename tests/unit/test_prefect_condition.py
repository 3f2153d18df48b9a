"""What a gateway says of the login with which it reaches Prefect."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings

from prefect_phantom.adapters.prefect.condition import objection_to_login, read_condition


@pytest.mark.parametrize(
    ("url", "login", "objection"),
    [
        ("http://prefect-server:4200/api", "admin:changeme", "is a placeholder"),
        ("http://prefect-server:4200/api", "admin:short", "has fewer than"),
        ("http://prefect-server:4200/api", "admin:3f1c9a5be7d2", ""),
        ("http://127.0.0.1:4200/api", "admin:changeme", ""),
    ],
)
def test_a_password_that_anybody_would_try_is_told_where_others_reach_prefect(
    url: str, login: str, objection: str
) -> None:
    with temporary_settings({PREFECT_API_AUTH_STRING: login}):
        said = objection_to_login(PrefectClient(url))
    assert said.startswith(objection)
    assert bool(said) is bool(objection)


async def test_the_name_of_prefects_host_is_not_looked_up_by_who_serves_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up_in = []

    def look_up(*_: object) -> list[object]:
        looked_up_in.append(threading.current_thread())
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    async def api_version() -> str:
        return "3"

    async def read_workers_for_work_pool(_: str) -> list[object]:
        return []

    client = SimpleNamespace(
        api_url=httpx.URL("http://looked-up-in-a-thread:4200/api"),
        api_version=api_version,
        read_workers_for_work_pool=read_workers_for_work_pool,
    )
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with temporary_settings({PREFECT_API_AUTH_STRING: "admin:changeme"}):
        condition = await read_condition(cast("PrefectClient", client), "phantom")
    assert condition.login.startswith("is a placeholder")
    assert looked_up_in
    assert threading.current_thread() not in looked_up_in
