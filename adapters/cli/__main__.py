"""``python -m prefect_phantom.adapters.cli``."""

from __future__ import annotations

from prefect_phantom.adapters.cli import main

main()
