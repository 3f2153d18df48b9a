"""The shop that tests of the store share."""

from __future__ import annotations

import pytest

from adapters.store import new_containers, playbooks
from adapters.store.containers import ContainerFields
from adapters.store.playbooks import FoundPlaybook
from tests.integration.shop import Shop


@pytest.fixture
async def shop(database) -> Shop:
    hunt = FoundPlaybook("local", "hunt", folder="/p", entrypoint="hunt.py:hunt")
    await playbooks.save_found(database, [hunt], ids={})
    new = ContainerFields(name="incident", label="events")
    container_id, _ = await new_containers.create(database, new)
    return Shop(database, container_id)
