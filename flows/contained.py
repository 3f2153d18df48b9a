"""What a container starts for its one run: Prefect's engine, as a child of this one.

``python -P -m flows.contained``. Prefect's workers for containers leave it to what runs inside to
end a run that is cancelled. This process asks the gateway whether the run may go on, ends it with
everything it has started if it may not, and tells the gateway of its end, however it came.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

import psutil

from flows.runtime import Watch

ENGINE = (sys.executable, "-P", "-m", "flows.engine")
ASK_SECONDS = 2.0
"""How often the gateway is asked: a cancel takes so long to reach the run, and its grace."""
HEARD = frozenset({signal.SIGTERM, signal.SIGCHLD})


class Run:
    """The engine's process, the leader of a session of its own. `code` is None while it lives."""

    def __init__(self) -> None:
        # What we wait for stays blocked here; the run begins with nothing blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        self.process_id = os.posix_spawn(ENGINE[0], ENGINE, os.environ, setsigmask=(), setsid=True)
        self.code: int | None = None

    def wait(self, seconds: float) -> bool:
        """Wait for the run's end, at most so long. Returns whether SIGTERM came instead."""
        deadline = time.monotonic() + seconds
        while self.code is None and (left := deadline - time.monotonic()) > 0:
            heard = signal.sigtimedwait(HEARD, left)
            ended, status = os.waitpid(self.process_id, os.WNOHANG)
            if ended:
                self.code = os.waitstatus_to_exitcode(status)
            elif heard is not None and heard.si_signo == signal.SIGTERM:
                return True
        return False

    def stop(self, grace_seconds: float) -> None:
        """Ask the run and all it has started to end, and after the grace make them."""
        started = self._signal(set(), signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while self.wait(deadline - time.monotonic()):
            pass  # to be asked again changes nothing
        self._signal(started, signal.SIGKILL)
        while self.code is None:
            self.wait(ASK_SECONDS)

    def _signal(self, started: set[psutil.Process], number: signal.Signals) -> set[psutil.Process]:
        """Signal the run's group, and what it started in sessions of their own."""
        with suppress(psutil.NoSuchProcess):
            started |= set(psutil.Process(self.process_id).children(recursive=True))
        with suppress(ProcessLookupError):
            os.killpg(self.process_id, number)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return started


def main() -> int:
    """Run the flow run that ``PREFECT__FLOW_RUN_ID`` names; return the exit code of its process.

    It is 0 for a run that was ended because it may not go on: the infrastructure has done its part.
    """
    grace_seconds = float(os.environ.get("PREFECT_PHANTOM_GRACE_SECONDS", "5"))
    watch = Watch(os.environ["PREFECT__FLOW_RUN_ID"])
    run = Run()
    refused = False
    while run.code is None:
        asked_to_stop = run.wait(ASK_SECONDS)
        refused = run.code is None and watch.is_refused()
        if asked_to_stop or refused:
            run.stop(grace_seconds)
    watch.exited(run.code)
    if refused:
        return 0
    return run.code if run.code >= 0 else 128 - run.code


if __name__ == "__main__":
    sys.exit(main())
