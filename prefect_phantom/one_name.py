"""The one name of each module. A file that is loaded under two is two: nothing of them is equal."""

from __future__ import annotations

OURS = {
    "flows": "prefect_phantom.flows",
    "adapters": "prefect_phantom.adapters",
    "prefect_phantom.flows.apps": "prefect_phantom.apps",
    "prefect_phantom.adapters.client": "prefect_phantom.client",
}
"""Names by which files can be found, and what each is called."""
FOR_AUTHORS = {
    "flows": "prefect_phantom",
    "flows.apps": "prefect_phantom.apps",
    "adapters": "prefect_phantom",
    "adapters.client": "prefect_phantom.client",
}
"""What authors imported before this was the one name, and what they import now."""


def require(name: str) -> None:
    """Raise ImportError for a package that is imported by another name than its own."""
    if name in OURS:
        raise ImportError(sentence(name), name=name)


def sentence(name: str) -> str:
    """What to do instead of importing `name`."""
    return f'Import "{FOR_AUTHORS.get(name) or OURS[name]}" instead of "{name}"'
