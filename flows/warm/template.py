"""The template process: ``python -P -m flows.warm.template FD``, started by the worker.

The first process imports Prefect and what a run needs. For each playbook it forks a second one,
which imports the playbook's code; that one forks a process per run. Neither of them ever holds a
client, a connection or a thread, so that a fork of it is whole.

Asked over the socket FD for a playbook, the first answers over the socket that came along. Asked
for a run, it forks one that imports the playbook itself: for a playbook whose import starts
threads, which a fork would lose. A run is forked twice: the process in between ends at once, so
that the run's parent is the worker, which reaps its descendants and learns when one ends.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

import prefect
from prefect.client.schemas.objects import FlowRun
from prefect.flows import load_flow_from_entrypoint

from flows.warm.message import pack, receive
from flows.warm.run import execute, leave
from flows.warm.warmth import warm_up


def main() -> None:
    """Serve until the worker goes away."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Playbook templates are children; nobody waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    warm_up()
    gc.freeze()
    connection.sendall(pack({"ready": True}))
    while (message := receive(connection)) is not None:
        request, descriptors = message
        channel = socket.socket(fileno=descriptors[0])
        if "run" in request:
            channel.sendall(pack({"process_id": _fork_run(None, request, channel)}))
        elif os.fork() == 0:
            connection.close()
            _serve_playbook(channel, request)
            leave(0)
        channel.close()


def _serve_playbook(channel: socket.socket, request: dict[str, Any]) -> None:
    """Import a playbook and fork a process for each run that is asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # First of all, so that an import that never ends can be ended.
    channel.sendall(pack({"process_id": os.getpid()}))
    try:
        flow = _load(request["entrypoint"], request["folder"])
    except BaseException as error:  # noqa: BLE001 - whatever an import does, the worker is told
        reason = "".join(traceback.format_exception_only(error)).strip()
        channel.sendall(pack({"error": reason}))
        leave(1)
    # A thread would not be in a forked process, and a lock that it held would never be released:
    # the worker asks for such a playbook's runs elsewhere.
    channel.sendall(pack({"ready": True, "threads": _threads()}))
    gc.freeze()
    while (message := receive(channel)) is not None:
        channel.sendall(pack({"process_id": _fork_run(flow, message[0], channel)}))


def _load(entrypoint: str, folder: str | None) -> prefect.Flow[..., Any]:
    if folder:
        os.chdir(folder)
    return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


def _threads() -> list[str]:
    main_thread = threading.main_thread()
    return [thread.name for thread in threading.enumerate() if thread is not main_thread]


def _fork_run(
    flow: prefect.Flow[..., Any] | None, request: dict[str, Any], channel: socket.socket
) -> int:
    """Fork a process for a run, which imports the playbook first when `flow` is None."""
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        os.close(reader)
        process_id = os.fork()
        if process_id == 0:
            os.close(writer)
            channel.close()
            _run(flow, request)
        os.write(writer, str(process_id).encode())
        leave(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        process_id = int(answer.read())
    with contextlib.suppress(ChildProcessError):  # where nobody collects children, the wait is all
        os.waitpid(between, 0)
    return process_id


def _run(flow: prefect.Flow[..., Any] | None, request: dict[str, Any]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if flow is None:
            flow = _load(request["entrypoint"], request["folder"])
            request = request["run"]
        os.environ.update(request["environment"])
        flow_run = FlowRun.model_validate_json(json.dumps(request["flow_run"]))
        code = execute(flow, flow_run, request["related"])
    except BaseException:  # noqa: BLE001 - the last frame of this process
        traceback.print_exc()
    finally:
        leave(code)
    raise AssertionError


if __name__ == "__main__":
    main()
