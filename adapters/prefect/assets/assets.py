"""What Prefect keeps of assets: a block for each secret, a global concurrency limit for each limit.

Nothing that Prefect answers is repeated to anybody: it may hold what it was sent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from prefect_phantom.adapters.errors import PrefectUnavailable
from prefect_phantom.adapters.prefect.assets.apps import Apps
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import assets
from prefect_phantom.adapters.store.runs import held_slots
from prefect_phantom.flows.inside.secrets.secret import SLUG, AssetSecret

ANSWER_SECONDS = 10.0
"""How long one call may take, its repeats included."""
LOOK_SECONDS = 60.0
"""How often limits are compared."""
LOST_SECONDS = 90.0
"""More than a lease may last after its holder is gone."""
SLOT_SECONDS = 2.0
"""How often it is looked for slots that dead runs left."""
logger = logging.getLogger("prefect_phantom.assets")


class PrefectAssets:
    """Writes blocks and limits for whoever changes assets, and keeps limits as they should be."""

    def __init__(self, *, database: Database, client: PrefectClient, apps: Apps) -> None:
        self.database = database
        self.client = client
        self.apps = apps
        self._idle_since: dict[str, float] = {}

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        await AssetSecret.aregister_type_and_schema(client=self.client)
        while True:
            await self.compare_limits()
            look_again = asyncio.get_running_loop().time() + LOOK_SECONDS
            while asyncio.get_running_loop().time() < look_again:
                await self.give_back_slots()
                await asyncio.sleep(SLOT_SECONDS)

    async def compare_limits(self) -> None:
        """Make the limits that assets have and Prefect has not, and free slots that nobody holds.

        A server that is killed after it took a slot, and before it made the lease, loses the slot.
        It has if nothing works on the asset, look after look.
        """
        now, idle = time.monotonic(), {}
        for name, limit in await assets.limits(self.database):
            try:
                known = await self.client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound:
                logger.warning("The limit %s was not in Prefect; it is made again", name)
                await self.save_limit(name, limit)
                continue
            if not known.active_slots or await assets.is_at_work(self.database, name):
                continue
            idle[name] = self._idle_since.get(name, now)
            if now - idle[name] >= LOST_SECONDS:
                logger.warning("Nobody holds the %d slots of %s", known.active_slots, name)
                free = GlobalConcurrencyLimitUpdate(active_slots=0)
                await self.client.update_global_concurrency_limit(name, free)
        self._idle_since = idle

    async def give_back_slots(self) -> None:
        """Give the slots back that dead runs held; without this they come after their lease."""
        for left in await held_slots.take_abandoned(self.database):
            for lease in left.leases:
                await self.client.release_concurrency_slots_with_lease(lease)
            if left.leases:
                logger.info(
                    "%d slots of playbook run %d were given back",
                    *(len(left.leases), left.playbook_run_id),
                )

    async def secrets_of(self, app: str) -> Collection[str]:
        """The settings that an app declares secret. Raises `AppsUnknown`."""
        return await self.apps.secrets_of(app)

    async def save_secret(self, block: str, value: SecretStr) -> None:
        """Keep `value` in the block of this name, whatever it held before.

        Raises `PrefectUnavailable`.
        """
        async with _answered():
            await AssetSecret(value=value).asave(block, overwrite=True, client=self.client)

    async def delete_secret(self, block: str) -> None:
        """Delete the block, if it is there. Raises `PrefectUnavailable`."""
        async with _answered():
            with suppress(ObjectNotFound):
                document = await self.client.read_block_document_by_name(
                    block, SLUG, include_secrets=False
                )
                await self.client.delete_block_document(document.id)

    async def save_limit(self, name: str, limit: int) -> None:
        """Have the limit of this name allow so many actions at once.

        Raises `PrefectUnavailable`.
        """
        async with _answered():
            await self.client.upsert_global_concurrency_limit_by_name(name, limit)

    async def delete_limit(self, name: str) -> None:
        """Delete the limit, if it is there. Raises `PrefectUnavailable`."""
        async with _answered():
            with suppress(ObjectNotFound):
                await self.client.delete_global_concurrency_limit_by_name(name)


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    """Turn what keeps Prefect from answering into `PrefectUnavailable`."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError:
        logger.warning("Prefect did not answer about an asset within %g s", ANSWER_SECONDS)
        raise PrefectUnavailable from None
    except httpx.HTTPError as error:
        kind = type(error).__name__
        if isinstance(error, httpx.HTTPStatusError):
            kind = f"HTTP {error.response.status_code}"
        logger.warning("Prefect did not do what was asked of it for an asset: %s", kind)
        # Without its cause, whose text may hold what was sent.
        raise PrefectUnavailable from None
