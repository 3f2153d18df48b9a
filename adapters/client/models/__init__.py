"""What the gateway answers, typed. Fields that are not named here are kept as they came."""

from __future__ import annotations

from adapters.client.models.answer import Item, ItemT
from adapters.client.models.asset import Asset
from adapters.client.models.container import Artifact, Container, Note
from adapters.client.models.log_line import LogLine
from adapters.client.models.playbook import Playbook
from adapters.client.models.playbook_run import ActionRun, AppRun, Message, PlaybookRun, Scope

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
