"""Trying a playbook on this machine, without any server: ``prefect-phantom playbook try FILE``.

A `Trial` has what the gateway would give: a container, assets, and a record of what actions did.
Authors' tests use it too, through the fixtures of `flows.trial.pytest_plugin`.
"""

from __future__ import annotations

from prefect_phantom.flows.trial.assets import TrialAsset
from prefect_phantom.flows.trial.sample import Sample
from prefect_phantom.flows.trial.trial import Progress, Trial, TrialRun

__all__ = ["Progress", "Sample", "Trial", "TrialAsset", "TrialRun"]
