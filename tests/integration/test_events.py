"""Events of containers and artifacts in Prefect, and people's own automations that hear them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest
from prefect.automations import Automation
from prefect.client.orchestration import PrefectClient
from prefect.events.actions import RunDeployment
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter
from prefect.events.schemas.automations import AutomationCore, EventTrigger

from tests.system import RUN_SECONDS, System, playbook_run_id_of
