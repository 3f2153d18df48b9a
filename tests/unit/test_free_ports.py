"""Ports that `up` chooses for its parts."""

from __future__ import annotations

import socket

import pytest

from prefect_phantom.adapters.supervisor import port
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.port import free_ports


def test_chosen_ports_are_none_that_an_outgoing_connection_may_be_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outgoing = socket.create_connection(server.getsockname())
        given = outgoing.getsockname()[1]
        outgoing.close()
    ports = free_ports("127.0.0.1", 4)
    assert len(set(ports)) == len(ports)
    assert max(ports) < given
    assert max(ports) < 32_768


def test_a_port_that_is_in_use_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    [taken, free] = free_ports("127.0.0.1", 2)
    monkeypatch.setattr(port, "CHOSEN", [taken, free])
    with socket.create_server(("127.0.0.1", taken)):
        assert free_ports("127.0.0.1", 1) == [free]
        with pytest.raises(CannotStart, match="No port of"):
            free_ports("127.0.0.1", 2)
