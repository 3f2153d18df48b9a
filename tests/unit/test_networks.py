from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from prefect_phantom.apps._web.networks import (
    LINK_LOCAL,
    LOOPBACK,
    PRIVATE,
    PUBLIC,
    AddressRefused,
    Reach,
    kind_of,
)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", LOOPBACK),
        ("127.255.0.9", LOOPBACK),
        ("0.0.0.0", LOOPBACK),
        ("::1", LOOPBACK),
        ("::", LOOPBACK),
        ("::ffff:127.0.0.1", LOOPBACK),
        ("::127.0.0.1", LOOPBACK),
        ("64:ff9b::127.0.0.1", LOOPBACK),
        ("2002:7f00:1::", LOOPBACK),
        ("169.254.169.254", LINK_LOCAL),
        ("fe80::1%eth0", LINK_LOCAL),
        ("::ffff:169.254.169.254", LINK_LOCAL),
        ("10.0.0.1", PRIVATE),
        ("192.168.1.1", PRIVATE),
        ("172.31.0.1", PRIVATE),
        ("100.64.0.1", PRIVATE),
        ("fd00::1", PRIVATE),
        ("224.0.0.1", PRIVATE),
        ("255.255.255.255", PRIVATE),
        ("198.41.0.4", PUBLIC),
        ("203.0.113.7", PUBLIC),
        ("2001:db8::7", PUBLIC),
        ("2001:503:ba3e::2:30", PUBLIC),
        ("::ffff:198.41.0.4", PUBLIC),
    ],
)
def test_how_near_an_address_is(address, kind):
    assert kind_of(ip_address(address)) == kind


def test_where_servers_lead_is_no_nearer_than_they_are():
    reach = Reach()
    for address in ("10.0.0.1", "10.0.0.2", "198.41.0.4"):
        reach.check(address)
        reach.reached(address)
    with pytest.raises(AddressRefused, match=r"at a public address leads to 10\.0\.0\.1, a priv"):
        reach.check("10.0.0.1")


def test_only_the_networks_of_an_asset_are_reached():
    reach = Reach([ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")])
    for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"):
        reach.check(address)
    for address in ("192.0.3.7", "::1", "fe80::1%eth0"):
        with pytest.raises(AddressRefused, match="none of the asset's networks"):
            reach.check(address)
