"""The file of a backup: a zip archive of dumps and files that only its owner can read."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from adapters.store.schema import head
from adapters.supervisor.failure import BackupFailed
from adapters.supervisor.home import PRIVATE_FILE

MANIFEST = "manifest.json"
HOME = "home/"
"""Before the names of entries that are files of the home."""


class Manifest(BaseModel):
    """What a backup is of."""

    format: Literal[1] = 1
    time: datetime
    """When the snapshots were taken, UTC."""
    stopped: bool
    """Nothing worked on the home meanwhile."""
    databases: list[str]
    prefect_phantom: str
    prefect: str
    postgresql: str
    schema_revision: str
    """The newest migration of our database."""
    settings: dict[str, str]
    """The variables that the gateway ran with, without secrets; empty when it did not run."""

    def refuse_newer(self) -> None:
        """Raise `BackupFailed` when it was made by newer programs, which older ones cannot read."""
        if int(self.schema_revision) > int(head()):
            raise BackupFailed(
                f"The backup is of a newer version of prefect-phantom, {self.prefect_phantom}:"
                " install that one first"
            )
        if _numbers(self.prefect) > _numbers(version("prefect")):
            raise BackupFailed(
                f"The backup is of a newer version of Prefect, {self.prefect}: install that first"
            )


@contextmanager
def create(file: Path) -> Iterator[zipfile.ZipFile]:
    """Write a new archive, which is there as a whole or not at all. Raises `BackupFailed`."""
    if file.exists():
        raise BackupFailed(f"{file} is there already: choose another name")
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "w+b") as opened:
            with zipfile.ZipFile(opened, "w") as archive:
                yield archive
            opened.flush()
            os.fsync(opened.fileno())
        draft.rename(file)
    except OSError as error:
        raise BackupFailed(f"{file} cannot be written ({error.strerror or error})") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def read(file: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Read an archive. Raises `BackupFailed` when it is none, or is damaged."""
    try:
        archive = zipfile.ZipFile(file)
        manifest = Manifest.model_validate_json(archive.read(MANIFEST))
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, KeyError, ValidationError) as error:
        raise BackupFailed(f"{file} is no backup of prefect-phantom") from error
    with archive:
        try:
            yield archive, manifest
        except zipfile.BadZipFile as error:  # a checksum
            raise BackupFailed(f"{file} is damaged ({error})") from error


def _numbers(text: str) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", text)]
