"""What playbook authors import.

.. code-block:: python

    from flows import ActionResult, Asset, PlaybookRun, action, playbook


    @action("whois ip", app="WHOIS", type="investigate")
    def whois_ip(asset: Asset[Settings], ip: str) -> ActionResult: ...


    @playbook(labels=["events"])
    def look_up(run: PlaybookRun) -> None:
        whois_ip.map([{"ip": artifact.cef["sourceAddress"]} for artifact in run.artifacts])
"""

from __future__ import annotations

from flows.action import Action, action
from flows.asset import Asset
from flows.container import Artifact, Container
from flows.failure import ActionFailure, AssetMisconfiguration
from flows.playbook import playbook
from flows.result import ActionResult, ActionRun, ParameterResult
from flows.run import PlaybookRun
from flows.shown import track

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
