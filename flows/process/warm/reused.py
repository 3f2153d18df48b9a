"""A reused process: it carries out one run after the other, until the worker goes away."""

from __future__ import annotations

import contextlib
import contextvars
import os
import socket
import traceback
from pathlib import Path
from typing import Any

import prefect

from prefect_phantom.flows.process.warm.message import pack, receive
from prefect_phantom.flows.process.warm.reaper import become_reaper, has_children, name_process
from prefect_phantom.flows.process.warm.run import COMPLETED, execute

IDLE = "reused"
"""What a process is called that has no run."""


def serve(flow: prefect.Flow[..., Any], channel: socket.socket) -> None:
    """Answer each request for a run with ``{code, reusable}`` when the run has ended.

    Nothing that we or Prefect know of a run is left for the next: its context, its environment
    and its working folder are put back. What the playbook's own code keeps (globals, threads,
    open files) is its own. A process that may not be used again goes on waiting, so that the
    worker finds all that it has started when it ends it.
    """
    become_reaper()
    environment, folder = dict(os.environ), Path.cwd()
    while (message := receive(channel)) is not None:
        code = contextvars.copy_context().run(_carry_out, flow, message[0])
        os.chdir(folder)
        name_process(IDLE)
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        answer = {"code": code, "reusable": code == COMPLETED and not has_children()}
        with contextlib.suppress(BrokenPipeError):  # the worker is gone; the next look says so
            channel.sendall(pack(answer))


def _carry_out(flow: prefect.Flow[..., Any], request: dict[str, Any]) -> int:
    try:
        return execute(flow, request)
    except BaseException:  # noqa: BLE001 - whatever a run ends with, the worker is told
        traceback.print_exc()
        return 1
