"""The contents of a folder of playbooks, as one digest: the same wherever the same files are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

BESIDE = (".json", ".toml", ".yaml", ".yml")
"""What belongs to a file of code and has its name, such as ``triage.json`` beside ``triage.py``."""
UNREADABLE = b"unreadable"


def files_of(folder: Path) -> list[Path]:
    """The code below a folder and what belongs to it, in order; none of a folder that is missing.

    Hidden folders are left out, and with them what the tools of editors and versions keep there.
    """
    return sorted(_walk(folder), key=lambda file: file.relative_to(folder).parts)


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        code = {name.removesuffix(".py") for name in names if name.endswith(".py")}
        for name in names:
            file = Path(place, name)
            if not name.startswith(".") and file.stem in code and file.suffix in {".py", *BESIDE}:
                yield file


def signature(folders: Sequence[Path]) -> tuple[tuple[object, ...], ...]:
    """A value that is another one whenever a file has changed, without reading any."""
    found: list[tuple[object, ...]] = []
    for folder in folders:
        for file in files_of(folder):
            try:
                status = file.stat()
            except OSError:
                found.append((file,))
            else:
                found.append((file, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def digest_of(folder: Path) -> str:
    """SHA-256 over the relative paths of a folder's files and what is in them, in hexadecimal."""
    digest = hashlib.sha256()
    for file in files_of(folder):
        try:
            content = hashlib.sha256(file.read_bytes()).digest()
        except OSError:
            content = UNREADABLE
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode(errors="surrogateescape"))
        digest.update(content)
    return digest.hexdigest()
