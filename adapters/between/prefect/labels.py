"""Labels of flow runs, beside those of Prefect."""

from __future__ import annotations

REQUEST_LABEL = "prefect_phantom.request_id"
"""The id of the request that asked for the run, as log lines have it."""
