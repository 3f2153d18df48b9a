"""How Prefect is: found out in the Prefect room, told in the HTTP room."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PrefectCondition:
    """The Prefect server, and which workers of the playbooks' work pool it has heard of lately."""

    version: str = ""
    workers: list[str] = field(default_factory=list)
    error: str = ""
    """Why it is not reached; empty when it is."""
    login: str = ""
    """What speaks against the password of its login, where others reach it; empty else."""
