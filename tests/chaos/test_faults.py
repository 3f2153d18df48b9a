"""Short forms of the chaos: one fault each, a handful of runs, and the same truths at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS, Scene
from tests.chaos.installation import installation
from tests.chaos.session import Outcome, conclude, happen, scene
from tests.chaos.truths import Breach

pytestmark = pytest.mark.long
SEED = 7
PATIENCE_SECONDS = 60
HANDFUL = ("plain", "slow", "two actions", "cancel at once", "cancel in an action", "slow")
CANCELS = (
    *("cancel at once", "cancel at any step", "cancel after the end", "cancel in an action"),
    *("cancel in a C call", "cancel with grandchildren", "cancel while paused"),
)
POISON = (
    *("sys.exit", "os._exit", "import error", "recursion", "stack overflow"),
    *("goes on in a fork", "not UTF-8", "closes its output", "blocks a while"),
)


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """An installation of this module's own, with callers that are about to begin."""
    journal: Path = tmp_path_factory.mktemp("chaos") / "journal"
    async with installation() as system, scene(system, seed=SEED, journal=journal) as begun:
        begun.load.again = 0
        yield begun


@pytest.mark.parametrize("kinds", [CANCELS, POISON], ids=["cancels", "poison"])
async def test_promises_are_kept_whatever_callers_and_playbooks_do(
    stage: Scene, kinds: Sequence[str]
) -> None:
    assert await _broken(stage, kinds) == []


async def test_nothing_is_left_of_a_run_that_forks(stage: Scene) -> None:
    assert await _broken(stage, ["forks"]) == []


async def test_a_suspended_run_waits_until_it_is_cancelled(stage: Scene) -> None:
    assert await _broken(stage, ["cancel while suspended"] * 3) == []


@pytest.mark.parametrize("fault", ["kill run", "kill runner", "kill postgres", "kill up"])
async def test_promises_are_kept_through_a_fault(stage: Scene, fault: str) -> None:
    assert await _broken(stage, HANDFUL, fault) == []


@pytest.mark.long
@pytest.mark.attack(
    "62 MB without credentials to the runtime API, four at once, and 1,100 idle connections",
    "every run under way goes on, and those that are asked for are carried out",
)
async def test_promises_are_kept_whatever_strangers_send(stage: Scene) -> None:
    assert await _broken(stage, HANDFUL, "strangers") == []


async def test_a_lost_answer_and_a_retry_make_one_run(stage: Scene) -> None:
    stage.load.again = 1
    assert await _broken(stage, HANDFUL, "cut answers") == []


async def _broken(stage: Scene, kinds: Sequence[str], fault: str | None = None) -> list[Breach]:
    """What was broken to runs of these kinds, begun before the fault and while it lasts."""
    begun = len(stage.journal.lives)
    stage.load.fault = fault or "none"
    for kind in kinds:
        stage.load.begin(kind)
    if fault is not None:
        await happen(stage, FAULTS[fault])
    outcome = Outcome(SEED, stage.system.worker)
    await conclude(stage, outcome, patience=PATIENCE_SECONDS)
    ours = {life.id for life in stage.journal.lives[begun:]}
    return [breach for breach in outcome.breaches if breach.run is None or breach.run in ours]
