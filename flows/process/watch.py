"""A run as seen by whoever started its process."""

from __future__ import annotations

from urllib.parse import quote

from prefect_phantom.flows.inside.runtime.client import (
    RuntimeRefused,
    RuntimeUnavailable,
    Superseded,
    call,
    connect,
    post,
    worker_name,
)


class Watch:
    """A run as seen from outside its process, by whoever started that process."""

    def __init__(self, flow_run_id: str) -> None:
        self.flow_run_id = flow_run_id
        self._client, self._ticket = connect(flow_run_id)

    def is_refused(self) -> bool:
        """Whether the run may not go on: cancelled, or ended a while ago.

        Without an answer, or with one that is none, it may: the run itself waits for the gateway
        before it does anything.
        """
        try:
            answer = post(
                self._client, "/runtime/refused", self._ticket, {"flow_run_ids": [self.flow_run_id]}
            )
        except (RuntimeUnavailable, RuntimeRefused, Superseded):
            return False
        return self.flow_run_id in answer.get("stop", ())

    def exited(self, process_id: int, code: int) -> None:
        """Report that the run's process has ended with this exit code; negative for a signal.

        Raises:
            RuntimeRefused: the gateway does not take it.
            RuntimeUnavailable: no answer within `PATIENCE_SECONDS`.

        """
        path = f"/runtime/workers/{quote(worker_name() or 'none', safe='')}/exited"
        body = {"flow_run_id": self.flow_run_id, "process_id": process_id, "code": code}
        call(self._client, path, self._ticket, body)
