"""Trying a playbook on this machine, without any server: ``prefect-phantom playbook try FILE``.

A `Trial` has what the gateway would give: a container, assets, and a record of what actions did.
Authors' tests use it too, through the fixtures of `flows.trial.pytest_plugin`.
"""

from __future__ import annotations

from flows.trial.assets import TrialAsset
from flows.trial.sample import Sample
from flows.trial.trial import Progress, Trial, TrialRun

__all__ = ["Progress", "Sample", "Trial", "TrialAsset", "TrialRun"]
