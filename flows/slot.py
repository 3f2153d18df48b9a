"""Slots: how many actions may be at work on one asset at once, in all runs together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.concurrency.sync import concurrency

from flows.asset import AssetRecord

LEASE_SECONDS = 60
"""Prefect's shortest. A slot whose holder is gone comes back after it."""


@contextmanager
def slot(asset: AssetRecord | None) -> Iterator[None]:
    """Hold one of the asset's slots inside the block; wait for one first.

    Without a limit, or without an asset, nothing is asked of Prefect.

    Raises:
        AssetMisconfiguration: the limit is gone in Prefect.
        PrefectUnavailable: Prefect does not answer.

    """
    if asset is None or asset.limit is None:
        yield
        return
    with concurrency(asset.limit, lease_duration=LEASE_SECONDS, strict=True):
        yield
