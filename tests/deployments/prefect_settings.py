"""Prints the variables that Prefect and its Redis integration read, or what they say of values.

``prefect_settings.py FOLDER``, with ``{"names": true}`` or ``{"environments": [{...}]}`` as its
input; the integrations are in FOLDER.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from prefect.settings import Settings
from prefect.settings.base import PrefectBaseSettings
from prefect.settings.legacy import _get_valid_setting_names
from pydantic import ValidationError

REDIS = (
    ("prefect_redis.client", "RedisMessagingSettings"),
    ("prefect_redis.cleanup_queue", "RedisWorkerCleanupQueueSettings"),
)
MODULES = ("MESSAGING_BROKER", "MESSAGING_CACHE", "CAUSAL_ORDERING", "STORAGE")
"""Ends of the names of variables whose values are modules."""


def redis_settings() -> list[type[PrefectBaseSettings]]:
    return [getattr(importlib.import_module(module), name) for module, name in REDIS]


def names() -> Iterator[str]:
    yield from _get_valid_setting_names(Settings)
    for settings in redis_settings():
        prefix = str(settings.model_config.get("env_prefix"))
        yield from (f"{prefix}{field}".upper() for field in settings.model_fields)


def refusal(environment: Mapping[str, str]) -> str:
    os.environ.update(environment)
    try:
        Settings()
        for settings in redis_settings():
            settings()
        for name, value in environment.items():
            if name.endswith(MODULES):
                importlib.import_module(value)
    except (ValidationError, ImportError) as error:
        return str(error)
    finally:
        for name in environment:
            os.environ.pop(name, None)
    return ""


if __name__ == "__main__":
    sys.path.append(sys.argv[1])
    question: dict[str, Any] = json.load(sys.stdin)
    if "names" in question:
        print(json.dumps(sorted(names())))
    else:
        print(json.dumps([refusal(each) for each in question["environments"]]))
