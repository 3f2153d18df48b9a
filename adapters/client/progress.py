"""What has happened in a run since it was last looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from prefect_phantom.client import requests
from prefect_phantom.client.call import Call
from prefect_phantom.client.events import ActionEnded, ActionStarted, Event, LogWritten, RunChanged
from prefect_phantom.client.models import ActionRun, LogLine, PlaybookRun
from prefect_phantom.client.pages import Pages

EARLIEST = datetime.min.replace(tzinfo=UTC)


class Progress:
    """The difference between what a gateway says now and what it said before.

    The run is asked for first: when it has ended, what its actions and its log say afterwards is
    complete.
    """

    def __init__(self, playbook_run_id: int) -> None:
        self._id = playbook_run_id
        self._run: PlaybookRun | None = None
        self._open: set[int] = set()
        self._last_action = 0
        self._log = requests.log_pages(playbook_run_id)

    def actions(self) -> Call[list[ActionRun]]:
        """Asks for the actions that had not ended or not begun when it was last asked."""
        known = min(self._open, default=self._last_action + 1) - 1
        return requests.list_actions(self._id, after=known)

    def lines(self) -> Pages[LogLine]:
        """The pages of the log that have not been read."""
        self._log.more = True
        return self._log

    def news(
        self, run: PlaybookRun, action_runs: Sequence[ActionRun], lines: Sequence[LogLine]
    ) -> list[Event]:
        """What is new, in the order of time; the state of the run comes last."""
        events: list[Event] = [*self._of_actions(action_runs), *map(LogWritten, lines)]
        events.sort(key=lambda event: event.time or EARLIEST)
        if run != self._run:
            self._run = run
            events.append(RunChanged(run))
        return events

    def _of_actions(self, action_runs: Sequence[ActionRun]) -> Iterator[Event]:
        for action_run in action_runs:
            if action_run.id > self._last_action:
                self._last_action = action_run.id
                self._open.add(action_run.id)
                yield ActionStarted(action_run)
            if action_run.id in self._open and not action_run.running:
                self._open.remove(action_run.id)
                yield ActionEnded(action_run)
