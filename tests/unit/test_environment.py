"""What parts find in their environment, where another program reads it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

from adapters.settings import Settings
from adapters.supervisor.environment import _retention


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
