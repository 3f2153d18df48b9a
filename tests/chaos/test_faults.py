"""Short forms of the chaos: one fault each, a handful of runs, and the same truths at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS, Scene
from tests.chaos.installation import installation
from tests.chaos.session import Outcome, conclude, happen, scene
from tests.chaos.truths import Breach

SEED = 7
PATIENCE_SECONDS = 60
HANDFUL = ("plain", "slow", "two actions", "cancel at once", "cancel in an action", "slow")


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """An installation of this module's own, with callers that are about to begin."""
    journal: Path = tmp_path_factory.mktemp("chaos") / "journal"
    async with installation() as system, scene(system, seed=SEED, journal=journal) as begun:
        yield begun


@pytest.mark.parametrize(
    "fault", ["kill runner", "kill postgres", "kill run", "cut answers", "kill up"]
)
async def test_every_promise_is_kept_through_a_fault(stage: Scene, fault: str) -> None:
    assert await _broken(stage, fault, HANDFUL) == []


async def test_every_promise_is_kept_to_runs_that_are_cancelled_at_any_step(stage: Scene) -> None:
    kinds = [
        *("cancel at once", "cancel at any step", "cancel after the end", "cancel in a C call"),
        *("cancel with grandchildren", "cancel while paused", "cancel while suspended"),
    ]
    assert await _broken(stage, "none", kinds) == []


async def test_every_promise_is_kept_to_runs_whose_playbook_misbehaves(stage: Scene) -> None:
    kinds = [
        *("sys.exit", "os._exit", "import error", "recursion", "stack overflow", "forks"),
        *("goes on in a fork", "not UTF-8", "closes its output", "blocks a while"),
    ]
    assert await _broken(stage, "none", kinds) == []


async def _broken(stage: Scene, fault: str, kinds: tuple[str, ...] | list[str]) -> list[Breach]:
    stage.load.fault = fault
    begun = len(stage.journal.lives)
    for kind in kinds:
        stage.load.begin(kind)
    await happen(stage, FAULTS[fault])
    outcome = Outcome(SEED, stage.system.worker)
    await conclude(stage, outcome, patience=PATIENCE_SECONDS)
    ours = {life.id for life in stage.journal.lives[begun:]}
    return [breach for breach in outcome.breaches if breach.run is None or breach.run in ours]
