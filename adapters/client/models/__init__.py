"""What the gateway answers, typed. Fields that are not named here are kept as they came."""

from __future__ import annotations

from prefect_phantom.client.models.answer import Item, ItemT
from prefect_phantom.client.models.asset import Asset
from prefect_phantom.client.models.container import Artifact, Container, Note
from prefect_phantom.client.models.log_line import LogLine
from prefect_phantom.client.models.playbook import Playbook
from prefect_phantom.client.models.playbook_run import (
    ActionRun,
    AppRun,
    Message,
    PlaybookRun,
    Scope,
)

__all__ = [
    "ActionRun",
    "AppRun",
    "Artifact",
    "Asset",
    "Container",
    "Item",
    "ItemT",
    "LogLine",
    "Message",
    "Note",
    "Playbook",
    "PlaybookRun",
    "Scope",
]
