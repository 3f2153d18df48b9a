"""Faults: each is injected into a scene and healed again; its name is what the table shows."""

from __future__ import annotations

from tests.chaos.faults import (
    connections,
    disk,
    freeze,
    gateways,
    kill,
    misuse,
    postgres,
    prefect_ui,
    queue,
    strangers,
)
from tests.chaos.faults.fault import Fault, Scene

MODULES = (
    *(misuse, kill, freeze, postgres, connections, gateways, queue, prefect_ui, strangers, disk),
)
FAULTS: dict[str, Fault] = {fault.name: fault for module in MODULES for fault in module.FAULTS}

__all__ = ["FAULTS", "Fault", "Scene"]
