"""Where a process has its ticket from, and what it leaves for what it starts."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest

from prefect_phantom.flows.inside.runtime import ticket
from prefect_phantom.flows.inside.secrets import prefect_login


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch):
    monkeypatch.setattr(ticket, "_held", {})
    for name in (ticket.VARIABLE, ticket.KEY_VARIABLE, ticket.RUNTIME_KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def expected() -> tuple[str, str]:
    flow_run_id = str(uuid4())
    return flow_run_id, ticket.make_ticket(ticket.ticket_key("runtime key"), flow_run_id)


def test_a_ticket_names_its_flow_run_and_tells_nothing_of_the_key(expected):
    flow_run_id, made = expected
    assert str(ticket.flow_run_of(made, ticket.ticket_key("runtime key"))) == flow_run_id
    assert ticket.flow_run_of(made, ticket.ticket_key("another key")) is None
    assert "runtime key" not in made


@pytest.mark.parametrize("variable", ["VARIABLE", "KEY_VARIABLE", "RUNTIME_KEY_VARIABLE"])
def test_it_is_taken_out_of_the_environment_with_what_makes_it(monkeypatch, expected, variable):
    flow_run_id, made = expected
    values = {"VARIABLE": made, "KEY_VARIABLE": ticket.ticket_key("runtime key"),
              "RUNTIME_KEY_VARIABLE": "runtime key"}  # fmt: skip
    monkeypatch.setenv(getattr(ticket, variable), values[variable])
    assert ticket.take(flow_run_id) == made
    assert getattr(ticket, variable) not in os.environ
    assert ticket.held(flow_run_id) == ""


def test_a_person_who_has_the_key_can_start_a_playbook_by_hand(monkeypatch, expected):
    flow_run_id, made = expected
    monkeypatch.setenv(ticket.RUNTIME_KEY_VARIABLE, "runtime key")
    assert ticket.held(flow_run_id) == made


def test_a_process_shows_the_ticket_that_it_was_given_last(expected):
    flow_run_id, made = expected
    ticket.hold("an earlier run's")
    ticket.hold(made)
    assert ticket.held(flow_run_id) == made


def test_the_login_of_prefect_is_kept_from_children(monkeypatch):
    for name in prefect_login.VARIABLES:
        monkeypatch.setenv(name, "secret")
    prefect_login.keep_from_children()
    assert not {name for name, value in os.environ.items() if value == "secret"}
