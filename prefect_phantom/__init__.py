"""Phantom's callers and playbooks on Prefect: the one name by which all of this is imported.

Playbook authors import:

.. code-block:: python

    from prefect_phantom import ActionResult, Asset, PlaybookRun, action, playbook


    @action("whois ip", app="WHOIS", type="investigate")
    def whois_ip(asset: Asset[Settings], ip: str) -> ActionResult: ...


    @playbook(labels=["events"])
    def look_up(run: PlaybookRun) -> None:
        whois_ip.map([{"ip": artifact.cef["sourceAddress"]} for artifact in run.artifacts])

Actions that ship are in `prefect_phantom.apps`, and programs that start playbooks have
`prefect_phantom.client`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_phantom.flows.action import Action, action
    from prefect_phantom.flows.asset import Asset
    from prefect_phantom.flows.container import Artifact, Container
    from prefect_phantom.flows.failure import ActionFailure, AssetMisconfiguration
    from prefect_phantom.flows.inside.display.prefect_artifacts import track
    from prefect_phantom.flows.playbook import playbook
    from prefect_phantom.flows.result import ActionResult, ActionRun, ParameterResult
    from prefect_phantom.flows.run import PlaybookRun

__all__ = [
    "Action",
    "ActionFailure",
    "ActionResult",
    "ActionRun",
    "Artifact",
    "Asset",
    "AssetMisconfiguration",
    "Container",
    "ParameterResult",
    "PlaybookRun",
    "action",
    "playbook",
    "track",
]

_MODULES = {
    "prefect_phantom.flows.action": ("Action", "action"),
    "prefect_phantom.flows.asset": ("Asset",),
    "prefect_phantom.flows.container": ("Artifact", "Container"),
    "prefect_phantom.flows.failure": ("ActionFailure", "AssetMisconfiguration"),
    "prefect_phantom.flows.playbook": ("playbook",),
    "prefect_phantom.flows.result": ("ActionResult", "ActionRun", "ParameterResult"),
    "prefect_phantom.flows.run": ("PlaybookRun",),
    "prefect_phantom.flows.inside.display.prefect_artifacts": ("track",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is: processes that run no playbook need no Prefect."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
