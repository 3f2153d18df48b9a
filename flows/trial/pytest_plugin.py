"""Fixtures for the tests of playbook authors. pytest finds them wherever this is installed.

::

    def test_it_is_blocked(trial, load_playbook):
        trial.fake(block_ip, lambda ip: None)
        attack = {"artifacts": [{"cef": {"sourceAddress": "192.0.2.1"}}]}
        run = trial.run(load_playbook("hunt.py"), attack)
        assert run.action_run("block ip").succeeded
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import prefect
import pytest

from prefect_phantom.flows.trial.loading import load
from prefect_phantom.flows.trial.recording import Recording
from prefect_phantom.flows.trial.sample import Sample
from prefect_phantom.flows.trial.trial import Trial, TrialRun

LoadPlaybook = Callable[..., prefect.Flow[..., Any]]


class AuthorsTrial(Trial):
    """A trial whose container may be given as a file or as plain values, too."""

    def run(
        self,
        playbook: prefect.Flow[..., Any],
        sample: Sample | Path | str | dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
    ) -> TrialRun:
        """Run `playbook` on a container to its end; see `Trial.run`."""
        if isinstance(sample, Path | str):
            sample = Sample.read(Path(sample))
        elif not isinstance(sample, Sample):
            sample = Sample.model_validate(sample or {})
        return super().run(playbook, sample, inputs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option by which answers of real actions are recorded."""
    parser.addoption(
        "--record-actions",
        action="store_true",
        help="carry out the actions of `recorded` for real, and keep their answers in its file",
    )


@pytest.fixture
def trial() -> AuthorsTrial:
    """A run without any server: `trial.fake(action, function)`, then `trial.run(playbook, ...)`."""
    return AuthorsTrial()


@pytest.fixture
def load_playbook() -> LoadPlaybook:
    """``load_playbook(file, name=None)``: the playbook in a file."""
    return lambda file, name=None: load(Path(file), name)


@pytest.fixture
def recorded(request: pytest.FixtureRequest, trial: AuthorsTrial) -> Callable[..., None]:
    """``recorded(file, action, ...)``: these actions answer from `file`, as they once did for real.

    With ``--record-actions`` they are carried out, and the file is written.
    """
    keep = bool(request.config.getoption("--record-actions"))

    def use(file: Path | str, *actions: Any) -> None:  # noqa: ANN401 - actions of any parameters
        recording = Recording(Path(file), keep=keep)
        for action in actions:
            recording.attach(trial, action)

    return use
