"""What a process worker starts for each run: Prefect's engine, in a session of its own.

It differs from ``python -m prefect.engine`` in three things. The process leads its own session, so
that stopping it reaches what it started. A guardian outside that session renews the run's lease,
and ends all of it when its worker is gone or it may not go on. And this package is imported before
any playbook's folder is on the path, so that nothing there can take its place.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys

from prefect_phantom.flows.inside import tracing
from prefect_phantom.flows.inside.log.log_format import SETTING, format_all
from prefect_phantom.flows.inside.runtime.client import worker_name
from prefect_phantom.flows.inside.runtime.ticket import hold, take
from prefect_phantom.flows.inside.secrets import prefect_login
from prefect_phantom.flows.inside.tracing import collector_headers
from prefect_phantom.flows.process.grace import told_grace_seconds
from prefect_phantom.flows.process.guardian import PROGRAM
from prefect_phantom.flows.process.guardian.process_tree import FLOW_RUN, process_name
from prefect_phantom.flows.process.undumpable import become_undumpable
from prefect_phantom.flows.process.warm.reaper import name_process


def main() -> None:
    """Run the flow run that ``PREFECT__FLOW_RUN_ID`` names."""
    become_undumpable()
    worker = os.getppid()
    if os.getpid() != os.getsid(0):
        os.setsid()
    flow_run_id = os.environ.get(FLOW_RUN, "")
    name_process(process_name(flow_run_id))
    ticket = take(flow_run_id)
    hold(ticket)
    prefect_login.keep_from_children()
    collector_headers.keep_from_children()
    _start_guardian(worker, flow_run_id, ticket)
    format_all()
    tracing.begin(tracing.RUN_SECONDS)
    try:
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    finally:
        tracing.flush(tracing.RUN_SECONDS)


def _start_guardian(worker: int, flow_run_id: str, ticket: str) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.set_inheritable(True)
        command = [sys.executable, "-I", PROGRAM, str(theirs.fileno())]
        seen = {name: os.environ[name] for name in (SETTING,) if name in os.environ}
        os.posix_spawn(sys.executable, command, seen, setsid=True)
    orders = [
        {
            "url": os.environ.get("PREFECT_PHANTOM_RUNTIME_URL", ""),
            "key": ticket,
            "worker": worker_name() or "",
            "watched": [os.getpid(), worker],
        },
        {
            "run": flow_run_id,
            "process_id": os.getpid(),
            "grace_seconds": told_grace_seconds(),
        },
    ]
    ours.sendall(b"".join(json.dumps(order).encode() + b"\n" for order in orders))
    # Left for the kernel to close. Closed a moment earlier, while the last logs are being sent, it
    # would tell the guardian that this process is gone, and have it ended.
    ours.detach()


if __name__ == "__main__":
    main()
