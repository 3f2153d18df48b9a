"""What takes the gateway's place for the actions of a trial."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect_phantom.flows.asset import AssetName
from prefect_phantom.flows.failure import ActionFailure
from prefect_phantom.flows.inside.recorder import StartedAction, StartedAppRun
from prefect_phantom.flows.trial.assets import TrialAsset, records


@dataclass
class Record:
    """Gives each action leave to start, on the assets of the trial."""

    given: Sequence[TrialAsset]
    faked: Collection[str]
    """Names of actions that are not carried out, and so need no asset."""
    changes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What would have been changed on a case: where at the runtime API, and by what."""
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def start_action(
        self,
        *,
        action: str,
        app: str,
        assets: list[str] | None,
        needs_asset: bool,
        **_: object,
    ) -> StartedAction:
        """Give leave to start. Raises `ActionFailure` for an asset that is missing."""
        chosen: Sequence[Any] = [None]
        if needs_asset and action not in self.faked:
            try:
                chosen = records(self.given, app, assets)
            except LookupError as error:
                raise ActionFailure(str(error)) from None
        app_runs = [StartedAppRun(id=next(self._ids), asset=asset) for asset in chosen]
        return StartedAction(action_run_id=next(self._ids), app_runs=app_runs)

    def assets(self) -> list[AssetName]:
        """Those that were given."""
        return [AssetName(name=asset.name, app=asset.app) for asset in self.given]

    def ask_leave(self) -> None:
        """Nobody can cancel a trial but whoever sees it."""

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a change of a case, and say that it has been made: there is no case."""
        said = {name: value for name, value in body.items() if name != "key"}
        self.changes.append((path.removeprefix("/runtime/"), said))
        return {"id": next(self._ids)}

    def hold_slots(self, leases: Sequence[UUID]) -> None:
        """No asset of a trial has a limit."""

    def end_action(self, action_run_id: int, **_: object) -> None:
        """The run in hand has it all."""
