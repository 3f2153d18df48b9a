"""What a process worker starts for each run: Prefect's engine, in a session of its own.

``python -P -m flows.engine`` differs from ``python -m prefect.engine`` in two things. The process
leads its own session, so that stopping it reaches what it started. And this package is imported
before any playbook's folder is on the path, so that a folder named ``flows`` there cannot take its
place.
"""

from __future__ import annotations

import os
import runpy

import flows.playbook  # noqa: F401 - see above: it must be known before the playbook's folder is


def main() -> None:
    """Run the flow run that ``PREFECT__FLOW_RUN_ID`` names."""
    if os.getpid() != os.getsid(0):
        os.setsid()
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
