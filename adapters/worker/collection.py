"""What Prefect loads through the entry point group ``prefect.collections``.

Blocks and worker types defined here are found by Prefect's command line and its server.
"""

from __future__ import annotations

from prefect_phantom.adapters.worker.phantom_worker import PhantomWorker
from prefect_phantom.flows.inside.secrets.secret import AssetSecret

__all__ = ["AssetSecret", "PhantomWorker"]
