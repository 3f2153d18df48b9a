"""What a container starts for its one run: Prefect's engine, as a child of this one.

Prefect's workers for containers leave it to what runs inside to end a run that is cancelled.
This process asks the gateway whether the run may go on, ends it with everything it has started if
it may not, and tells the gateway of its end, however it came.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress

from prefect_phantom.flows.inside.runtime.client import (
    RuntimeRefused,
    RuntimeUnavailable,
    Superseded,
)
from prefect_phantom.flows.inside.runtime.ticket import VARIABLE, hold, take
from prefect_phantom.flows.process import undumpable
from prefect_phantom.flows.process.grace import told_grace_seconds
from prefect_phantom.flows.process.guardian.process_tree import FLOW_RUN, Tree
from prefect_phantom.flows.process.warm.reaper import become_reaper
from prefect_phantom.flows.process.watch import Watch

ENGINE = (sys.executable, "-P", str(undumpable.__file__), "prefect_phantom.flows.process.cold")
ASK_SECONDS = 2.0
"""How often the gateway is asked: a cancel takes so long to reach the run, and its grace."""
LOOK_SECONDS = 0.5
HEARD = frozenset({signal.SIGTERM, signal.SIGCHLD})


class Run:
    """The engine's process, the leader of a session of its own. `code` is None while it lives."""

    def __init__(self, flow_run_id: str, ticket: str) -> None:
        become_reaper()
        # What we wait for stays blocked here; the run begins with nothing blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        environment = os.environ | {VARIABLE: ticket}
        self.process_id = os.posix_spawn(ENGINE[0], ENGINE, environment, setsigmask=(), setsid=True)
        self.tree = Tree(self.process_id, flow_run_id)
        self.code: int | None = None

    def wait(self, seconds: float) -> bool:
        """Wait for the run's end, at most so long. Returns whether SIGTERM came instead."""
        deadline = time.monotonic() + seconds
        while self.code is None and (left := deadline - time.monotonic()) > 0:
            heard = signal.sigtimedwait(HEARD, left)
            self._collect()
            if self.code is None and heard is not None and heard.si_signo == signal.SIGTERM:
                return True
        return False

    def stop(self, grace_seconds: float) -> None:
        """Ask the run and all it has started to end, and after the grace make them."""
        self.tree.end(grace_seconds)
        self._collect(wait=True)

    def _collect(self, *, wait: bool = False) -> None:
        """Collect what has ended of the run: what it leaves behind becomes ours."""
        if wait and self.code is None:
            _, status = os.waitpid(self.process_id, 0)
            self.code = os.waitstatus_to_exitcode(status)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if ended[0] == self.process_id:
                    self.code = os.waitstatus_to_exitcode(ended[1])


def main() -> int:
    """Run the flow run that ``PREFECT__FLOW_RUN_ID`` names; return the exit code of its process.

    It is 0 for a run that was ended because it may not go on: the infrastructure has done its part.
    """
    undumpable.become_undumpable(sought=True)  # what it forks is, by itself
    grace_seconds = told_grace_seconds()
    flow_run_id = os.environ[FLOW_RUN]
    ticket = take(flow_run_id)
    hold(ticket)
    watch = Watch(flow_run_id)
    run = Run(flow_run_id, ticket)
    # Beside the loop that has to end the run in time, since an answer may take long.
    told, refused = threading.Event(), False
    threading.Thread(target=_ask, args=(watch, told), daemon=True).start()
    while run.code is None:
        asked_to_stop = run.wait(LOOK_SECONDS)
        refused = run.code is None and told.is_set()
        if asked_to_stop or refused:
            run.stop(grace_seconds)
    try:
        watch.exited(run.process_id, run.code)
    except (RuntimeUnavailable, RuntimeRefused, Superseded) as error:
        # Prefect's state and the lease say the same, a little later.
        print(f"The end of the run was not reported: {error}", file=sys.stderr)
    if refused:
        return 0
    return run.code if run.code >= 0 else 128 - run.code


def _ask(watch: Watch, told: threading.Event) -> None:
    while not watch.is_refused():
        time.sleep(ASK_SECONDS)
    told.set()


if __name__ == "__main__":
    sys.exit(main())
