"""What is refused, or told, because of how a gateway is reached."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_phantom.adapters.security.exposure import (
    findings,
    is_loopback,
    password_refusal,
    password_warning,
    refusals,
)
from prefect_phantom.adapters.security.guessable import objection
from prefect_phantom.adapters.settings import Settings

ROOT = Path(__file__).parents[2]
STRONG = "a9f2c07be1d44a63"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback_is_this_machine_alone(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "fe80::1%1"]
)
def test_any_other_address_is_reached_by_others(host):
    assert not is_loopback(host)


@pytest.mark.attack("reading tokens on the network, where plain HTTP was set", "it does not start")
@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1"])
def test_clear_text_that_leaves_the_machine_is_refused_unless_it_is_wanted(host):
    sentences = list(refusals(Settings(http=True, host=host)))
    assert len(sentences) == 1
    assert "PREFECT_PHANTOM_CLEAR_TEXT=true" in sentences[0]
    assert not list(refusals(Settings(http=True, host=host, clear_text=True)))
    assert not list(refusals(Settings(http=False, host=host)))
    assert not list(refusals(Settings(http=True, host="127.0.0.1")))


@pytest.mark.parametrize("key", ["", "  ", "KEY", "changeme", "a-runtime-key", "x" * 15])
def test_a_runtime_key_that_is_guessed_is_refused_where_others_reach_the_runtime_api(key):
    assert list(refusals(Settings(runtime_host="0.0.0.0", runtime_key=key)))
    assert not list(refusals(Settings(runtime_host="0.0.0.0", runtime_key=STRONG)))
    assert bool(list(refusals(Settings(runtime_key=key)))) == (not key.strip())


@pytest.mark.attack("guessing the password of a guide", "nobody who is reached by others gets it")
@pytest.mark.parametrize(
    "password", ["changeme", "Change-Me", "PASSWORD", "...", "short", "1234567"]
)
@pytest.mark.parametrize("reached", [{"host": "0.0.0.0"}, {"runtime_host": "0.0.0.0"}])
def test_a_guessable_password_is_refused_where_others_reach_it_and_warned_of_where_not(
    password, reached
):
    assert password_refusal(Settings(admin_password=password, **reached))
    assert not password_refusal(Settings(admin_password=password))
    assert password_warning(Settings(admin_password=password))
    assert not password_refusal(Settings(admin_password=STRONG, **reached))
    assert not password_warning(Settings(admin_password=STRONG))


@pytest.mark.parametrize("password", ["", " ", "\t\n"])
def test_a_blank_password_is_refused_everywhere(password):
    assert "is blank" in password_refusal(Settings(admin_password=password))


def test_what_stands_in_our_files_is_refused():
    """Nobody who copies one of them gets a gateway that others can enter."""
    given = re.compile(r"\b[A-Z_]*(?:PASSWORD|RUNTIME_KEY)[:=] ?(?P<value>[^\s'\"`$&{}#|]+)")
    files = [*ROOT.glob("deployments/**/*.*"), ROOT / "README.md", *ROOT.glob("docs/*.md")]
    values = {
        match["value"]
        for file in files
        if file.is_file() and file.suffix != ".sh"
        for match in given.finditer(file.read_text())
    }
    assert {"changeme", "PASSWORD", "KEY"} <= values
    assert [value for value in values if not objection(value)] == []
    chart = yaml.safe_load((ROOT / "deployments/helm/prefect-phantom/values.yaml").read_text())
    assert not chart["clearText"]


def test_what_is_open_is_told():
    def told(in_use: bool = False, **settings: Any) -> list[tuple[bool, str]]:
        found = findings(Settings(**settings), password_in_use=in_use)
        return [(each.ok, each.sentence.partition(" ")[0]) for each in found]

    assert told() == []
    assert told(http=True, host="0.0.0.0", clear_text=True) == [(True, "The")]
    assert told(runtime_host="0.0.0.0") == [(True, "The")]
    assert told(runtime_host="0.0.0.0", runtime_url="https://runtime.example") == []
    variable = "PREFECT_PHANTOM_ADMIN_PASSWORD"
    assert told(admin_password="changeme", in_use=True) == [(True, variable)]
    assert told(admin_password="changeme", in_use=True, host="0.0.0.0") == [(False, variable)]
    assert told(admin_password="changeme", host="0.0.0.0") == [(True, variable)]
    assert told(admin_password="changeme") == []
    assert told(admin_password=STRONG, in_use=True, host="0.0.0.0") == []


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def getaddrinfo(*of: object) -> list[object]:
        asked.append(of)
        return [(0, 0, 0, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert [is_loopback("asked-once.example") for _ in range(3)] == [True] * 3
    assert len(asked) == 1
