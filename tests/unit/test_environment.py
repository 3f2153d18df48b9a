"""What parts find in their environment, where another program reads it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

from adapters.settings import Settings
from adapters.supervisor.environment import (
    _retention,
    gateway_environment,
    kept_settings,
    worker_environment,
)
from adapters.supervisor.home import Home
from adapters.supervisor.installation import Installation, Ports


@pytest.mark.parametrize(
    ("days", "period"),
    [(30, timedelta(days=30)), (0.001, timedelta(hours=1, seconds=1))],
)
def test_prefect_removes_flow_runs_as_soon_as_runs_are(
    monkeypatch: pytest.MonkeyPatch, days: float, period: timedelta
) -> None:
    for name, text in _retention(Settings(keep_run_days=days)).items():
        monkeypatch.setenv(name, text)
    vacuum = ServerServicesDBVacuumSettings()
    assert vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert vacuum.retention_period == period


def test_prefect_keeps_its_flow_runs_when_runs_are_kept() -> None:
    assert _retention(Settings(keep_runs=1000)) == {}


def installed(tmp_path: Path, surroundings: dict[str, str]) -> Installation:
    """What was decided where `up` was started with these variables."""
    home = Home(tmp_path / "home")
    home.prepare()
    return Installation(
        settings=Settings(),
        home=home,
        surroundings=surroundings,
        database_server="postgresql://postgres@/",
        ports=Ports(gateway=1, runtime=2, prefect=3, whois=None),
    )


def test_the_token_of_whoever_starts_it_is_not_handed_on_nor_kept(tmp_path: Path) -> None:
    given = {"PREFECT_PHANTOM_TOKEN": "hunter2", "PREFECT_PHANTOM_LABELS": "events"}
    installation = installed(tmp_path, given)
    for environment in (gateway_environment(installation), worker_environment(installation)):
        assert "hunter2" not in environment.values()
    kept = kept_settings(installation)
    assert "events" in kept
    assert "hunter2" not in kept


def test_a_backup_keeps_what_gateway_and_worker_were_started_with_but_no_secret(
    tmp_path: Path,
) -> None:
    installation = installed(tmp_path, {})
    kept = kept_settings(installation)
    assert {"PREFECT_PHANTOM_PLAYBOOKS", "PREFECT_PHANTOM_HTTP"} <= json.loads(kept).keys()
    for secret in (installation.runtime_key, installation.home.operator_token):
        assert secret not in kept


def test_folders_of_apps_are_the_same_wherever_a_run_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_PHANTOM_APPS", "desk:/opt/apps")
    installation = installed(tmp_path, {"PREFECT_PHANTOM_APPS": "desk:/opt/apps"})
    environment = worker_environment(installation)
    assert environment["PREFECT_PHANTOM_APPS"] == f"{tmp_path / 'desk'}:/opt/apps"
