"""What playbook authors import.

.. code-block:: python

    from flows import ActionResult, Asset, PlaybookRun, action, playbook


    @action("whois ip", app="WHOIS", type="investigate")
    def whois_ip(ip: str, *, asset: Asset) -> ActionResult: ...


    @playbook(labels=["events"])
    def look_up(run: PlaybookRun) -> None:
        whois_ip.map([{"ip": artifact.cef["sourceAddress"]} for artifact in run.artifacts])
"""

from __future__ import annotations

from flows.action import Action, ActionFailure, ActionResult, ActionRun, ParameterResult, action
from flows.container import Artifact, Asset, Container
from flows.playbook import playbook
from flows.run import PlaybookRun

__all__ = [
    "Action",
    "ActionFailure",
    "ActionResult",
    "ActionRun",
    "Artifact",
    "Asset",
    "Container",
    "ParameterResult",
    "PlaybookRun",
    "action",
    "playbook",
]
