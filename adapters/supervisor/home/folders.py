"""Folders that settings name: whether they are there, before anything is started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prefect_phantom.adapters.settings import Settings


def folder_refusals(settings: Settings) -> Iterator[str]:
    """What is wrong with the folders of playbooks and of apps, a sentence each."""
    named = [("playbooks", "--playbooks", folder) for folder in settings.playbooks]
    named += [("apps", "PREFECT_PHANTOM_APPS", folder) for folder in settings.apps]
    for what, option, folder in named:
        if wrong := _wrong(folder.expanduser()):
            yield f"{folder} {wrong}: name a folder of {what} with {option}"


def _wrong(folder: Path) -> str:
    try:
        if not folder.exists():
            return "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not folder.is_dir():
        return "is no folder"
    return "" if os.access(folder, os.R_OK | os.X_OK) else "cannot be read"
