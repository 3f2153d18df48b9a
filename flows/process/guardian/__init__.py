"""The guardian: a small process beside runs, which answers for them when nobody else can.

``python -I PROGRAM FD`` is started by a worker, or by a run that has a stock worker: a process of
its own, outside every run's session and of the standard library alone, so that neither a playbook
that holds the interpreter's lock nor a frozen worker can hold it up. It

- renews the lease of all runs that it was told of, in one call;
- ends a run, with all that it started, whose lease is lost or that may not go on;
- ends all of them when the other side of its socket is gone, and tells the gateway.

Lines of JSON over the socket FD. First what to guard for: ``{url, key, worker, watched}``, then
``{run, process_id, grace_seconds}``, ``{ended}`` and ``{ping}``, which is answered by ``{pong}``.
`watched` are processes: with the end of one of them all is over.
"""

from __future__ import annotations

from pathlib import Path

PROGRAM = str(Path(__file__).parent)
"""What `python -I` starts."""
