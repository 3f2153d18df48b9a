"""What parts find in their environment, where another program reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.settings import Settings as PrefectSettings
from prefect.settings.models.server.services import ServerServicesDBVacuumSettings
from pydantic import BaseModel

from prefect_phantom.adapters.process.private_program import SECRETS
from prefect_phantom.adapters.security.secret_names import is_secret_name
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.installation import Installation, Ports
from prefect_phantom.adapters.supervisor.parts.environment import (
    _retention,
    gateway_environment,
    kept_settings,
    refuse_secrets,
    worker_environment,
)
from prefect_phantom.flows.inside.runtime import ticket


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


@pytest.mark.attack(
    "a backup, a file of the home or a run's environment that holds the token of /metrics",
    "it is a secret like any other: kept nowhere, and never given to a run",
)
def test_every_setting_that_is_secret_by_type_or_name_is_treated_as_one(tmp_path: Path) -> None:
    names = {
        f"PREFECT_PHANTOM_{name.upper()}"
        for name, field in Settings.model_fields.items()
        # What a path leads to is secret, and not the path.
        if "SecretStr" in str(field.annotation)
        or (is_secret_name(name) and "Path" not in str(field.annotation))
    }
    assert {"PREFECT_PHANTOM_METRICS_TOKEN", "PREFECT_PHANTOM_ADMIN_PASSWORD"} <= names
    given = dict.fromkeys(sorted(names | SECRETS), "hunter2")
    assert names | {ticket.KEY_VARIABLE} <= SECRETS
    assert "hunter2" not in kept_settings(installed(tmp_path, given))
    for name in names | {ticket.KEY_VARIABLE}:
        with pytest.raises(CannotStart, match=name):
            refuse_secrets([name])


def test_secret_settings_of_prefect_are_treated_as_secrets() -> None:
    assert set(_secrets_of(PrefectSettings)) <= SECRETS


def _secrets_of(model: type[BaseModel], prefix: str = "PREFECT") -> Iterator[str]:
    for name, field in model.model_fields.items():
        variable = f"{prefix}_{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _secrets_of(field.annotation, variable)
        elif "Secret" in str(field.annotation):
            yield variable


def test_folders_of_apps_are_the_same_wherever_a_run_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_PHANTOM_APPS", "desk:/opt/apps")
    installation = installed(tmp_path, {"PREFECT_PHANTOM_APPS": "desk:/opt/apps"})
    environment = worker_environment(installation)
    assert environment["PREFECT_PHANTOM_APPS"] == f"{tmp_path / 'desk'}:/opt/apps"


@pytest.mark.parametrize("name", ["PLAYBOOK_IDS", "CERTIFICATE", "CERTIFICATE_KEY"])
def test_files_in_the_folder_of_the_user_are_the_same_for_the_gateway(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(f"PREFECT_PHANTOM_{name}", "~/file")  # as an env file gives it
    environment = gateway_environment(installed(tmp_path, {}))
    assert environment[f"PREFECT_PHANTOM_{name}"] == str(tmp_path / "file")
