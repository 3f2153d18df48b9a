"""What a gateway says of the login with which it reaches Prefect."""

from __future__ import annotations

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings

from adapters.prefect.condition import objection_to_login


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
