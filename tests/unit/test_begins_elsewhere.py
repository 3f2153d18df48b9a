"""A run whose process is refused for its old code: its flow run is offered to others again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.states import Cancelled, Cancelling, Running

from prefect_phantom.flows.inside import execution
from prefect_phantom.flows.inside.definition import Definition
from prefect_phantom.flows.inside.runtime.client import Superseded

FLOW_RUN_ID = uuid4()


class Prefect:
    """Notes the states that are set."""

    def __init__(self) -> None:
        self.set: list[tuple[UUID, Any, bool]] = []
        self.state: State = Running()

    def read_flow_run(self, _: UUID) -> SimpleNamespace:
        return SimpleNamespace(state=self.state)

    def set_flow_run_state(self, flow_run_id: UUID, state: Any, *, force: bool = False) -> None:
        self.set.append((flow_run_id, state, force))


@pytest.fixture
def prefect(monkeypatch: pytest.MonkeyPatch) -> Prefect:
    prefect = Prefect()

    @contextmanager
    def get_client(**_: object) -> Iterator[Prefect]:
        yield prefect

    def begin(**_: object) -> None:
        raise Superseded("other code", held_elsewhere=False, begins_elsewhere=True)

    monkeypatch.setattr(execution, "get_client", get_client)
    monkeypatch.setattr(execution.Attempt, "begin", begin)
    monkeypatch.setattr(execution, "deployment", SimpleNamespace(id=None))
    return prefect


def _playbook(_: object) -> None:
    raise AssertionError("it must not run")


DEFINITION = Definition(
    function=_playbook, name="hunt", labels=(), tags=(), category="", inputs=None, outputs=None,
    timeout=None, isolation="fork", restartable=False,
)  # fmt: skip


@pytest.mark.parametrize(("run_count", "seconds"), [(1, 10), (3, 40), (50, 300)])
def test_it_is_scheduled_later_the_oftener_it_came(
    prefect: Prefect, monkeypatch: pytest.MonkeyPatch, run_count: int, seconds: int
) -> None:
    run = SimpleNamespace(id=str(FLOW_RUN_ID), tags=[], run_count=run_count)
    monkeypatch.setattr(execution, "flow_run", run)
    before = datetime.now(UTC)
    with pytest.raises(Abort):
        execution.execute(DEFINITION, 42, "all", None, 7)
    ((flow_run_id, state, force),) = prefect.set
    assert (flow_run_id, force, state.is_scheduled(), state.message) == (
        FLOW_RUN_ID, False, True, "other code",
    )  # fmt: skip
    later = state.state_details.scheduled_time - before
    assert timedelta(seconds=seconds) <= later < timedelta(seconds=seconds + 60)


@pytest.mark.parametrize("make", [Cancelling, Cancelled])
def test_one_that_was_cancelled_meanwhile_is_not_scheduled_again(
    prefect: Prefect, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    prefect.state = make()
    run = SimpleNamespace(id=str(FLOW_RUN_ID), tags=[], run_count=1)
    monkeypatch.setattr(execution, "flow_run", run)
    with pytest.raises(Abort):
        execution.execute(DEFINITION, 42, "all", None, 7)
    assert prefect.set == []
