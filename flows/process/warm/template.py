"""The template process: ``prefect_phantom.flows.process.warm.template FD``, started by the worker.

The first process imports Prefect and what a run needs. For each playbook it forks a second one,
which imports the playbook's code; that one forks a process per run, or for a reused playbook one
that carries out many. Neither of them ever holds a client, a connection or a thread, so that a fork
of it is whole.

Asked over the socket FD for a playbook, the first answers over the socket that came along. Asked
for a process of some isolation, it forks one that imports the playbook itself: for a playbook whose
import starts threads, which a fork would lose. That one waits for its run, or its runs, at the
socket that came with the request. It is forked twice: the one in between ends at once, so that its
parent is the worker, which reaps its descendants and learns when one ends.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import prefect
from prefect.flows import load_flow_from_entrypoint

from prefect_phantom.flows.inside.definition import Isolation
from prefect_phantom.flows.inside.log.log_format import format_all
from prefect_phantom.flows.inside.secrets import prefect_login
from prefect_phantom.flows.inside.tracing import collector_headers
from prefect_phantom.flows.process.warm.message import pack, receive
from prefect_phantom.flows.process.warm.reused import serve
from prefect_phantom.flows.process.warm.run import execute, leave
from prefect_phantom.flows.process.warm.warmth import warm_up

Flow = prefect.Flow[..., Any]
Load = Callable[[], Flow]
Work = Callable[[Flow, socket.socket], int]


def main() -> None:
    """Serve until the worker goes away."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Playbook templates are children; nobody waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    prefect_login.keep_from_children()
    collector_headers.keep_from_children()
    warm_up()
    format_all()
    gc.freeze()
    connection.sendall(pack({"ready": True}))
    while (message := receive(connection)) is not None:
        request, descriptors = message
        channel = socket.socket(fileno=descriptors[0])
        load = functools.partial(_load, request["entrypoint"], request["folder"])
        if "isolation" in request:
            _fork(WORK[request["isolation"]], load, channel, connection)
        elif os.fork() == 0:
            connection.close()
            _serve_playbook(channel, load)
            leave(0)
        channel.close()


def _serve_playbook(channel: socket.socket, load: Load) -> None:
    """Import a playbook, and fork the processes that are asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # First of all, so that an import that never ends can be ended.
    channel.sendall(pack({"process_id": os.getpid()}))
    flow = _loaded(load, channel)
    # A thread would not be in a forked process, and a lock that it held would never be released:
    # the worker asks for such a playbook's runs elsewhere.
    channel.sendall(pack({"ready": True, "threads": _threads()}))
    gc.freeze()
    while (message := receive(channel)) is not None:
        request, descriptors = message
        with socket.socket(fileno=descriptors[0]) as runs:
            _fork(WORK[request["isolation"]], lambda: flow, runs, channel)


def _loaded(load: Load, channel: socket.socket) -> Flow:
    """The playbook; a process that cannot import it says so to the worker, and ends."""
    try:
        return load()
    except BaseException as error:  # noqa: BLE001 - whatever an import does, the worker is told
        reason = "".join(traceback.format_exception_only(error)).strip()
        channel.sendall(pack({"error": reason}))
        leave(1)


def _load(entrypoint: str, folder: str | None) -> Flow:
    if folder:
        os.chdir(folder)
    return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


def _threads() -> list[str]:
    main_thread = threading.main_thread()
    return [thread.name for thread in threading.enumerate() if thread is not main_thread]


def _fork(work: Work, load: Load, channel: socket.socket, unneeded: socket.socket) -> None:
    """Fork a process for `work`, a child of the worker, which tells it its id over `channel`."""
    between = os.fork()
    if between == 0:
        parent = os.getpid()
        if os.fork() == 0:
            unneeded.close()
            _lead(work, load, channel, parent)
        leave(0)
    with contextlib.suppress(ChildProcessError):  # where nobody collects children, the wait is all
        os.waitpid(between, 0)


def _lead(work: Work, load: Load, channel: socket.socket, parent: int) -> NoReturn:
    """Do `work` as the leader of a session, and end with the code that it returns."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _wait_for(parent)
        # It says so itself: a template that died before it has would leave both sides waiting.
        channel.sendall(pack({"process_id": os.getpid()}))
        flow = _loaded(load, channel)
        channel.sendall(pack({"ready": True}))
        code = work(flow, channel)
    except BaseException:  # noqa: BLE001 - the last frame of this process
        traceback.print_exc()
    finally:
        leave(code)
    raise AssertionError


def _wait_for(parent: int) -> None:
    """Wait until `parent` has ended and this process is the worker's child, who can reap it."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(parent)
        select.select([descriptor], [], [])
        os.close(descriptor)


def _carry_out_one(flow: Flow, channel: socket.socket) -> int:
    message = receive(channel)
    channel.close()
    return 0 if message is None else execute(flow, message[0])  # None: the run is another worker's


def _serve_runs(flow: Flow, channel: socket.socket) -> int:
    serve(flow, channel)
    return 0


WORK: dict[Isolation, Work] = {
    "fork": _carry_out_one,
    "reused": _serve_runs,
}


if __name__ == "__main__":
    main()
