"""Apps: actions that ship, one module for each, and the finding of those and of others.

Others are found by entry points in the group ``prefect_phantom.apps``, each a module, and in the
folders that PREFECT_PHANTOM_APPS names, separated by ``:``.
``python -P -m prefect_phantom.apps`` prints a line of JSON for each app.
"""

from __future__ import annotations

from prefect_phantom.flows.finding.app_registry import App, AppDescription, describe, find, load
from prefect_phantom.one_name import require

__all__ = ["App", "AppDescription", "describe", "find", "load"]

require(__name__)
