"""Apps: actions that ship, one module for each, and the finding of those and of others.

Others are found by entry points in the group ``prefect_phantom.apps``, each a module, and in the
folders that PREFECT_PHANTOM_APPS names, separated by ``:``. ``python -P -m flows.apps`` prints a
line of JSON for each app.
"""

from __future__ import annotations

from flows.apps._registry import App, AppDescription, describe, find, load

__all__ = ["App", "AppDescription", "describe", "find", "load"]
