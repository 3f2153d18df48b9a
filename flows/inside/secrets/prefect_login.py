"""Prefect's login in the environment. Prefect's settings hold it as well, once they were read."""

from __future__ import annotations

import importlib
import os

VARIABLES = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_CLIENT_CUSTOM_HEADERS")


def keep_from_children() -> None:
    """Take it out of the environment, so that no program which a playbook starts inherits it.

    Clients of this process, and of what it forks, go on logging in: Prefect has read its settings.
    """
    importlib.import_module("prefect")  # which reads them
    for name in VARIABLES:
        os.environ.pop(name, None)
