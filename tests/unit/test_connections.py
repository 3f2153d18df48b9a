"""Which connection gives way when there are as many as there may be."""

from __future__ import annotations

import gc
import weakref
from ipaddress import ip_address, ip_network

from prefect_phantom.adapters.rest.listener.connections import LEAVING, Connections, Place


def admit(connections: Connections, address: str = "192.0.2.1") -> Place | None:
    return connections.admit(ip_address(address))


def watched(connections: Connections, closed: list[str], name: str, address: str) -> Place:
    place = admit(connections, address)
    assert place is not None
    place.close = lambda: closed.append(name)
    return place


def test_the_one_that_has_waited_longest_gives_way():
    connections, closed = Connections(3, 3), []
    first, second, third = (watched(connections, closed, name, "192.0.2.1") for name in "abc")
    first.wait()  # it was served meanwhile, and waits again
    assert admit(connections) is not None
    assert closed == ["b"]
    second.leave()  # as the connection says when it hears of its end
    second.wait()
    assert len(connections) == 3
    third.leave()
    third.leave()
    assert len(connections) == 2


def test_who_is_known_gives_way_last():
    connections, closed = Connections(2, 2), []
    known, stranger = (watched(connections, closed, name, "192.0.2.1") for name in "ab")
    known.is_known = True
    known.wait()
    stranger.wait()
    admit(connections)
    assert closed == ["b"]


def test_none_is_taken_in_while_many_are_on_their_way_out():
    connections = Connections(100, 100)
    places = [admit(connections) for _ in range(100 + LEAVING)]
    assert not connections.are_settled
    assert places[0] is not None
    places[0].leave()
    assert connections.are_settled


def test_who_is_being_served_is_not_closed_for_others():
    connections, closed = Connections(2, 2), []
    places = [watched(connections, closed, name, "192.0.2.1") for name in "ab"]
    for place in places:
        place.serve()
    assert admit(connections) is None
    places[0].wait()
    assert admit(connections) is not None
    assert closed == ["a"]
    assert connections.closed == 2


def test_one_address_has_no_more_than_its_share_and_closes_only_its_own():
    connections, closed = Connections(10, 2), []
    watched(connections, closed, "other", "192.0.2.2")
    for name in "abc":
        watched(connections, closed, name, "192.0.2.1")
    assert closed == ["a"]


def test_neighbours_of_one_customer_are_one_address():
    connections, closed = Connections(10, 2), []
    for number in range(3):
        watched(connections, closed, str(number), f"2001:db8::{number}")
    assert closed == ["0"]


def test_a_proxy_that_is_trusted_may_have_all_places_but_no_more():
    connections, closed = Connections(4, 2, [ip_network("10.0.0.0/8")]), []
    for name in "abcde":
        watched(connections, closed, name, "10.1.1.1")
    assert closed == ["a"]


def test_a_connection_that_is_gone_is_not_kept_by_what_ended_it():
    class Ending:
        def __init__(self, place: Place) -> None:
            self.place = place
            place.close = self.end

        def end(self) -> None:
            self.place.leave()

    place = admit(Connections(1, 1))
    assert place is not None
    gone = weakref.ref(Ending(place))
    gc.disable()
    try:
        place.close()
        assert gone() is None
    finally:
        gc.enable()
