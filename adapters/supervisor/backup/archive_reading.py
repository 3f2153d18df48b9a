"""Reading what a backup has written, from a file or a pipe."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from pydantic import ValidationError

from prefect_phantom.adapters.supervisor.backup.archive import DIGESTS, HOME, MANIFEST, PIPE
from prefect_phantom.adapters.supervisor.backup.manifest import Manifest
from prefect_phantom.adapters.supervisor.failure import BackupFailed


class Reading(Protocol):
    """An archive that is read in its order: manifest, files of the home, dumps."""

    manifest: Manifest

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path in the home and content of each file."""

    def dump(self, name: str) -> IO[bytes]:
        """The dump of a database; they come in the order of the manifest."""

    def require_whole(self) -> None:
        """Raise `BackupFailed` when something is missing or was changed."""


class Stream:
    """A tar archive."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._digests: dict[str, str] = {}
        self._next = archive.next()
        self.manifest = Manifest.model_validate_json(self._take(MANIFEST))

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path in the home and content of each file."""
        while self._next is not None and (name := self._next.name).startswith(HOME):
            yield name.removeprefix(HOME), self._take(name)

    def dump(self, name: str) -> IO[bytes]:
        """The dump of a database; they come in the order of the manifest."""
        return io.BufferedReader(_Joined(self._pieces(name)))

    def require_whole(self) -> None:
        """Raise `BackupFailed` when something is missing or was changed."""
        read = [f"{digest}  {name}" for name, digest in self._digests.items()]
        if self._take(DIGESTS).decode(errors="replace").splitlines() != read:
            raise BackupFailed("it is not what was written")

    def _pieces(self, name: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        while self._next is not None and self._next.name.startswith(f"{name}/"):
            piece = self._content(self._next)
            digest.update(piece)
            self._next = self._archive.next()
            yield piece
        self._digests[name] = digest.hexdigest()

    def _take(self, name: str) -> bytes:
        entry = self._next
        if entry is None or entry.name != name:
            raise BackupFailed(f"{name} is missing")
        content = self._content(entry)
        self._digests[name] = hashlib.sha256(content).hexdigest()
        self._next = self._archive.next()
        return content

    def _content(self, entry: tarfile.TarInfo) -> bytes:
        opened = self._archive.extractfile(entry)
        if opened is None:
            raise BackupFailed(f"{entry.name} is no file")
        return opened.read()


class _Joined(io.RawIOBase):
    """A file that comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = next(self._pieces, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class Zip:
    """What backups were until format 2."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.manifest = Manifest.model_validate_json(archive.read(MANIFEST))

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path in the home and content of each file."""
        for name in self._archive.namelist():
            if name.startswith(HOME):
                yield name.removeprefix(HOME), self._archive.read(name)

    def dump(self, name: str) -> IO[bytes]:
        """The dump of a database."""
        return self._archive.open(name)

    def require_whole(self) -> None:
        """Each entry had its checksum compared when it was read."""


@contextmanager
def read(file: Path) -> Iterator[Reading]:
    """Read an archive. Raises `BackupFailed` when it is none, or is damaged."""
    began = False
    try:
        with _opened(file) as reading:
            began = True
            yield reading
    except OSError as error:
        if began:
            raise
        raise BackupFailed(f"{file} cannot be read ({error.strerror or error})") from error
    except (tarfile.TarError, zipfile.BadZipFile, KeyError, ValidationError) as error:
        if began:
            raise BackupFailed(f"{file} is damaged, or not whole ({error})") from error
        raise BackupFailed(f"{file} is no backup of prefect-phantom") from error


@contextmanager
def _opened(file: Path) -> Iterator[Reading]:
    if file != PIPE and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as old:
            yield Zip(old)
    elif file == PIPE:
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            yield Stream(archive)
    else:
        with tarfile.open(file, mode="r|") as archive:
            yield Stream(archive)
