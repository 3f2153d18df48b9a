"""The process, with the descriptor of its socket as argument and its orders on standard input."""

from __future__ import annotations

import sys

from prefect_phantom.adapters.gateway.lease_server.server import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
