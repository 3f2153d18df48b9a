"""What is costly for a first run, done once before the fork: imports, not connections."""

from __future__ import annotations

import importlib
import pkgutil

from prefect_phantom.flows.inside.runtime.client import certificate_authorities
from prefect_phantom.flows.inside.tracing import prepare

MODULES = (
    "anyio._backends._asyncio",
    "prefect_phantom.flows.playbook",
    "prefect_phantom.flows.inside.display.prefect_artifacts",
    "prefect_phantom.apps.whois",
    "httpcore",
    "prefect.client.orchestration",
    "prefect.engine",
    "prefect.events.clients",
    "prefect.events.worker",
    "prefect.flow_engine",
    "prefect.input",
    "prefect.logging.handlers",
    "prefect.task_engine",
    "prefect.task_runners",
    "prefect.utilities.visualization",
    "pydantic.v1",
    "rich._emoji_codes",
    "websockets.asyncio.client",
)

MODELS = (
    "prefect.client.schemas.actions:LogCreate",
    "prefect.client.schemas.objects:ConcurrencyLeaseHolder",
    "prefect.client.schemas.objects:FlowRun",
    "prefect.client.schemas.objects:ServerDefaultResultStorage",
    "prefect.events:Event",
)
"""Built by pydantic when they are first used, which would be anew in each run: 10 ms."""


def warm_up() -> None:
    """Import what runs use, build models, and read the certificate authorities.

    Must start no thread and open no connection: neither would survive a fork.
    """
    for module in MODULES:
        importlib.import_module(module)
    for model in MODELS:
        pkgutil.resolve_name(model).model_rebuild()
    certificate_authorities()
    prepare()
