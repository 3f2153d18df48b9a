"""What happens in a run, as a program that watches it hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from prefect_phantom.client.models import ActionRun, LogLine, PlaybookRun


@dataclass(frozen=True, slots=True)
class ActionStarted:
    """An action has begun. Of one that was quick `action_run` shows its end already."""

    action_run: ActionRun

    @property
    def time(self) -> datetime | None:
        """When it began."""
        return self.action_run.create_time


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An action has ended; `action_run.status` says how."""

    action_run: ActionRun

    @property
    def time(self) -> datetime | None:
        """When it ended."""
        return self.action_run.close_time


@dataclass(frozen=True, slots=True)
class LogWritten:
    """The run has a further line in its log."""

    line: LogLine

    @property
    def time(self) -> datetime | None:
        """When it was written."""
        return self.line.time


@dataclass(frozen=True, slots=True)
class RunChanged:
    """The run is in another state. In the last event of all, `run.running` is false."""

    run: PlaybookRun

    @property
    def time(self) -> datetime | None:
        """When it changed."""
        return self.run.update_time


Event: TypeAlias = ActionStarted | ActionEnded | LogWritten | RunChanged
