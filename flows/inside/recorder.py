"""Where the actions of a run are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel

from prefect_phantom.flows.asset import AssetName, AssetRecord


class StartedAppRun(BaseModel):
    """One asset's part of a started action run; `asset` is None for an app without assets."""

    id: int
    asset: AssetRecord | None


class StartedAction(BaseModel):
    """A start that has been recorded for good."""

    action_run_id: int
    app_runs: list[StartedAppRun]


class Recorder(Protocol):
    """Gives actions leave to start, and keeps what came of them.

    `flows.runtime.Attempt` is the one that asks the gateway; `flows.trial` has one without.
    """

    def start_action(
        self,
        *,
        action: str,
        app: str,
        type: str,  # noqa: A002 - the contract's own name
        name: str,
        parameters: list[dict[str, Any]],
        assets: list[str] | None,
        needs_asset: bool,
    ) -> StartedAction:
        """Record the start of an action; it may begin only after this returned."""

    def assets(self) -> list[AssetName]:
        """The assets that there are."""

    def ask_leave(self) -> None:
        """Raise `flows.runtime.Superseded` if the run may not act any more."""

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for a change on a case (see `flows.case`); returns ``{"id": ...}``.

        Raises `flows.runtime.Superseded` and `flows.runtime.RuntimeRefused`.
        """

    def hold_slots(self, leases: Sequence[UUID]) -> None:
        """Say which slots the run holds in limits of Prefect, whenever they change."""

    def end_action(
        self,
        action_run_id: int,
        *,
        status: Literal["success", "failed"],
        message: str,
        app_runs: list[dict[str, Any]],
    ) -> None:
        """Record an action's end: per app run ``{id, status, message, results}``."""
