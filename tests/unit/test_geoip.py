"""App GeoIP, with a small database of MaxMind's format that is written here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps import geoip
from prefect_phantom.apps.geoip import Settings, geolocate_ip

RENO = {
    "continent": {"code": "NA", "names": {"en": "North America"}},
    "country": {"iso_code": "US", "names": {"en": "United States", "de": "USA"}},
    "subdivisions": [{"iso_code": "NV", "names": {"en": "Nevada"}}],
    "city": {"names": {"en": "Reno"}},
    "postal": {"code": "89501"},
    "location": {"latitude": 39.5296, "longitude": -119.8138, "time_zone": "America/Los_Angeles"},
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    writer = MMDBWriter(ip_version=6, database_type="GeoLite2-City", ipv4_compatible=True)
    writer.insert_network(IPSet(["192.0.2.0/24"]), RENO)
    writer.insert_network(IPSet(["2001:db8::/32"]), {"country": {"iso_code": "NL"}})
    file = tmp_path / "city.mmdb"
    writer.to_db_file(str(file))
    return file


def asset(database: Path, language: str = "en") -> Asset[Settings]:
    return Asset(1, "maxmind", "GeoIP", Settings(database=database, language=language))


def test_a_place_is_told_in_the_vendors_shape(database: Path) -> None:
    result = geolocate_ip.function(asset(database), "192.0.2.7")
    assert result.message == "City: Reno, State: NV, Country: United States"
    assert result.summary == {"city": "Reno", "state": "NV", "country": "United States"}
    assert result.data == [
        {
            "continent_name": "North America",
            "country_name": "United States",
            "country_iso_code": "US",
            "state_name": "Nevada",
            "state_iso_code": "NV",
            "city_name": "Reno",
            "postal_code": "89501",
            "latitude": 39.5296,
            "longitude": -119.8138,
            "time_zone": "America/Los_Angeles",
        }
    ]


def test_names_are_in_the_assets_language_where_there_is_one(database: Path) -> None:
    summary = geolocate_ip.function(asset(database, "de"), "192.0.2.7").summary
    assert summary == {"city": "Reno", "state": "NV", "country": "USA"}


def test_what_is_not_known_of_a_place_is_left_out(database: Path) -> None:
    result = geolocate_ip.function(asset(database), "2001:db8::1")
    assert result.data == [{"country_iso_code": "NL"}]
    assert result.message == "Found 2001:db8::1"


def test_an_address_that_is_not_in_the_database_is_a_failure(database: Path) -> None:
    with pytest.raises(ActionFailure) as failure:
        geolocate_ip.function(asset(database), "198.51.100.1")
    assert str(failure.value) == (
        f"Nothing found: the database {database} has no record of 198.51.100.1"
    )


def test_an_ipv6_address_is_in_no_database_of_ipv4_addresses(tmp_path: Path) -> None:
    writer = MMDBWriter(ip_version=4)
    writer.insert_network(IPSet(["192.0.2.0/24"]), RENO)
    writer.to_db_file(str(tmp_path / "four.mmdb"))
    with pytest.raises(ActionFailure, match=r"has no record of 2001:db8::1$"):
        geolocate_ip.function(asset(tmp_path / "four.mmdb"), "2001:db8::1")


def test_what_is_no_address_is_not_looked_up(database: Path) -> None:
    with pytest.raises(ActionFailure) as failure:
        geolocate_ip.function(asset(database), "example.com")
    assert str(failure.value) == '"example.com" is not an IP address'


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database")
    with pytest.raises(ActionFailure) as failure:
        geolocate_ip.function(asset(file), "192.0.2.1")
    assert str(failure.value) == f"The file {file} is not a MaxMind database"


def test_a_database_that_was_cut_off_is_told(database: Path) -> None:
    whole = database.read_bytes()
    middle = whole.index(b"Reno")
    database.write_bytes(whole[:middle] + b"\xff" * 4 + whole[middle + 4 :])
    with pytest.raises(ActionFailure, match=f"^The database {database} is damaged: "):
        geolocate_ip.function(asset(database), "192.0.2.1")


def test_what_is_not_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path, tmp_path / "gone"):
        with pytest.raises(ActionFailure) as failure:
            geolocate_ip.function(asset(place), "192.0.2.1")
        assert str(failure.value) == f"The database {place} is not a file on this machine"


def test_connectivity_is_tested_by_opening_the_database(database: Path) -> None:
    result = geoip.test_connectivity.function(asset(database))
    assert result.message == f"{database} is a database of type GeoLite2-City"
