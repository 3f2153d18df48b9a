"""The process: ``adapters.lease_server FD``, with its orders on standard input."""

from __future__ import annotations

import importlib
import sys

from adapters.small_process import leave_prefect_out

if __name__ == "__main__":
    leave_prefect_out()
    importlib.import_module("adapters.lease_server.server").main(int(sys.argv[1]))
