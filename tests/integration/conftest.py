"""The shop that tests of the store share."""

from __future__ import annotations

import pytest

from adapters.store import containers, playbooks
from adapters.store.containers import NewContainer
from adapters.store.playbooks import FoundPlaybook
from tests.integration.shop import Shop


@pytest.fixture
async def shop(database) -> Shop:
    hunt = FoundPlaybook("local", "hunt", folder="/p", entrypoint="hunt.py:hunt")
    await playbooks.save_found(database, [hunt], ids={})
    new = NewContainer(name="incident", label="events")
    return Shop(database, await containers.create(database, new))
