"""Tokens and passwords can be said on a command line, whatever they are."""

from __future__ import annotations

import secrets

import pytest

from prefect_phantom.adapters.security.random_text import random_text
from prefect_phantom.adapters.store.accounts.tokens import new_token
from prefect_phantom.adapters.supervisor.installation import make_password


@pytest.mark.parametrize("make", [lambda: random_text(3), new_token, make_password])
def test_none_begins_like_an_option(make, monkeypatch):
    texts = ["-a", "--", "_-", "b"]
    monkeypatch.setattr(secrets, "token_urlsafe", lambda *_: texts.pop(0))
    assert make() == "_-"
