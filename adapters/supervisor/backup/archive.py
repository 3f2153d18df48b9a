"""What a backup is written as: a tar archive in one stream, of which nothing is read twice.

First the manifest, then files of the home, then the dump of each database in pieces, whose size is
not known before, and last the digests of all of it. So it passes through a pipe in both directions.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

from prefect_phantom.adapters.supervisor.failure import BackupFailed
from prefect_phantom.adapters.supervisor.home.home import PRIVATE_FILE

MANIFEST = "manifest.json"
HOME = "home/"
"""Before the names of entries that are files of the home."""
DIGESTS = "sha256sums"
PIECE_BYTES = 8 * 1024 * 1024
PIPE = Path("-")
"""Instead of a file: standard output, or standard input."""
Failing: TypeAlias = Callable[[], AbstractContextManager[None]]
"""Makes of an `OSError` in its block a sentence that says what cannot be written."""


class Writing:
    """An archive that is being written."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._digests: list[str] = []

    def add(self, name: str, content: bytes) -> None:
        """Write a file."""
        self._write(name, content)
        self._note(name, hashlib.sha256(content).hexdigest())

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Write a file of unknown size."""
        pieces = _Pieces(name, self._write)
        with io.BufferedWriter(pieces, PIECE_BYTES) as stream:
            yield stream
        self._note(name, pieces.digest.hexdigest())

    def finish(self) -> None:
        """Write the digests, without which an archive is not whole."""
        self._write(DIGESTS, "".join(self._digests).encode())

    def _write(self, name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), PRIVATE_FILE
        self._archive.addfile(entry, io.BytesIO(content))

    def _note(self, name: str, digest: str) -> None:
        self._digests.append(f"{digest}  {name}\n")


class _Pieces(io.RawIOBase):
    """A file of unknown size, in entries of known size."""

    def __init__(self, name: str, entry: Callable[[str, bytes], None]) -> None:
        self.digest = hashlib.sha256()
        self._name, self._entry, self._count = name, entry, 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:  # noqa: ANN401 - whatever has bytes
        piece = bytes(content)
        self._count += 1
        self._entry(f"{self._name}/{self._count:06}", piece)
        self.digest.update(piece)
        return len(piece)


class _Destination(io.RawIOBase):
    """A stream that is written to. Raises `BackupFailed`, as only a failure of its own is told."""

    def __init__(self, stream: IO[bytes], failing: Failing) -> None:
        self._stream, self._failing = stream, failing

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:  # noqa: ANN401 - whatever has bytes
        with self._failing():
            return self._stream.write(content)


@contextmanager
def create(file: Path) -> Iterator[Writing]:
    """Write a new archive, which is there as a whole or not at all. Raises `BackupFailed`."""
    if file == PIPE:
        failing = functools.partial(
            _failing, "Standard output cannot be written to", ": the backup is not whole"
        )
        try:
            with _written(sys.stdout.buffer, failing) as writing:
                yield writing
            with failing():
                sys.stdout.buffer.flush()
        except BackupFailed:
            _leave_unwritten(sys.stdout.fileno())
            raise
        return
    if file.exists():
        raise BackupFailed(f"{file} is there already: choose another name")
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    failing = functools.partial(_failing, f"{file} cannot be written")
    with failing():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        # Nothing is kept back: what is written at its end is written by `_Destination`, too.
        with os.fdopen(descriptor, "wb", buffering=0) as opened:
            with _written(opened, failing) as writing:
                yield writing
            with failing():
                os.fsync(opened.fileno())
        with failing():
            draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _failing(sentence: str, end: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{sentence} ({error.strerror or error}){end}") from error


def _leave_unwritten(descriptor: int) -> None:
    """Have what is left in the buffer go nowhere: at its end Python would try it once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextmanager
def _written(stream: IO[bytes], failing: Failing) -> Iterator[Writing]:
    destination = io.BufferedWriter(_Destination(stream, failing))
    with destination, tarfile.open(fileobj=destination, mode="w|") as archive:
        writing = Writing(archive)
        yield writing
        writing.finish()
