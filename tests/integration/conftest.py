"""The shop that tests of the store share."""

from __future__ import annotations

import pytest

from prefect_phantom.adapters.store.case import new_containers
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from tests.integration.shop import Shop


@pytest.fixture
async def shop(database) -> Shop:
    hunt = FoundPlaybook("local", "hunt", folder="/p", entrypoint="hunt.py:hunt")
    await save_found(database, [hunt])
    new = ContainerFields(name="incident", label="events")
    container_id, _ = await new_containers.create(database, new)
    return Shop(database, container_id)
