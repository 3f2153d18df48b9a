"""What Prefect loads through the entry point group ``prefect.collections``.

Blocks and worker types defined here are found by Prefect's command line and its server.
"""

from __future__ import annotations

from adapters.prefect.phantom_worker import PhantomWorker
from flows.secret import AssetSecret

__all__ = ["AssetSecret", "PhantomWorker"]
