"""Why `up` could not start, in one sentence that also says what to do."""

from __future__ import annotations

from pathlib import Path


class CannotStart(Exception):
    """A part or the installation cannot start. ``str(error)`` is the sentence to show."""


class BackupFailed(Exception):
    """A backup cannot be made or restored. ``str(error)`` is the sentence to show."""


class HomeInUse(CannotStart):
    """Another `up` works on this home."""

    def __init__(self, home: Path, holder: str) -> None:
        super().__init__(
            f"{home} is in use by process {holder}: stop that one, or choose another folder"
            " with --home"
        )
