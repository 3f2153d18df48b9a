"""App GeoIP: where an address is, by a MaxMind database in a file."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any

import maxminddb
from pydantic import Field

from prefect_phantom import ActionFailure, ActionResult, Asset, action
from prefect_phantom.apps._web.settings import AppSettings

APP = "GeoIP"


class Settings(AppSettings):
    """Settings of an asset of this app."""

    database: Path = Field(
        description="A file in MaxMind's format, such as GeoLite2-City.mmdb, on the machine where "
        "playbooks run"
    )
    language: str = Field(default="en", description="Language of the names, such as en or pt-BR")


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Open the database.

    Neither data nor summary.
    """
    with _open(asset.settings.database) as database:
        kind = database.metadata().database_type
    return ActionResult(message=f"{asset.settings.database} is a database of type {kind}")


@action("geolocate ip", app=APP, type="investigate")
def geolocate_ip(
    asset: Asset[Settings], ip: Annotated[str, Field(description="An IPv4 or IPv6 address")]
) -> ActionResult:
    """Look up where an address is.

    One row of data, of which absent facts are left out: ``continent_name``, ``country_name``,
    ``country_iso_code``, ``state_name``, ``state_iso_code``, ``city_name``, ``postal_code``,
    ``latitude``, ``longitude``, ``time_zone``, ``as_org``, ``asn``. Summary: ``city``, ``state``,
    ``country``.

    Raises:
        ActionFailure: `ip` is no address or not in the database, or the file cannot be read.

    """
    try:
        address = ipaddress.ip_address(ip.strip())
    except ValueError:
        raise ActionFailure(f'"{ip}" is not an IP address') from None
    path = asset.settings.database
    with _open(path) as database:
        try:
            fits = address.version <= database.metadata().ip_version
            record = database.get(address) if fits else None
        except (maxminddb.InvalidDatabaseError, UnicodeDecodeError) as error:
            raise ActionFailure(f"The database {path} is damaged: {error}") from None
    if not isinstance(record, dict):
        raise ActionFailure(f"Nothing found: the database {path} has no record of {address}")
    place = _place(record, asset.settings.language)
    summary = {
        "city": place.get("city_name", ""),
        "state": place.get("state_iso_code", ""),
        "country": place.get("country_name", ""),
    }
    message = ", ".join(f"{name.title()}: {value}" for name, value in summary.items() if value)
    return ActionResult(message=message or f"Found {address}", data=[place], summary=summary)


def _open(path: Path) -> maxminddb.Reader:
    try:
        # Not a pipe or a device, which could keep us waiting for ever.
        if not path.is_file():
            raise ActionFailure(f"The database {path} is not a file on this machine")
        return maxminddb.open_database(path)
    except OSError as error:
        raise ActionFailure(f"The database {path} cannot be read: {error.strerror}") from None
    except maxminddb.InvalidDatabaseError:
        raise ActionFailure(f"The file {path} is not a MaxMind database") from None


def _place(record: dict[str, Any], language: str) -> dict[str, Any]:
    state = (record.get("subdivisions") or [{}])[0]
    facts = {
        "continent_name": _name(record.get("continent"), language),
        "country_name": _name(record.get("country"), language),
        "country_iso_code": _fact(record, "country", "iso_code"),
        "state_name": _name(state, language),
        "state_iso_code": state.get("iso_code"),
        "city_name": _name(record.get("city"), language),
        "postal_code": _fact(record, "postal", "code"),
        "latitude": _fact(record, "location", "latitude"),
        "longitude": _fact(record, "location", "longitude"),
        "time_zone": _fact(record, "location", "time_zone"),
        "as_org": record.get("autonomous_system_organization")
        or _fact(record, "traits", "autonomous_system_organization"),
        "asn": record.get("autonomous_system_number"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _fact(record: dict[str, Any], part: str, name: str) -> Any:  # noqa: ANN401 - as the file has it
    return (record.get(part) or {}).get(name)


def _name(part: dict[str, Any] | None, language: str) -> str | None:
    names: dict[str, str] = (part or {}).get("names") or {}
    return names.get(language) or names.get("en")
