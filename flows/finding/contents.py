"""The code of playbooks, as one digest: the same wherever the same files are."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect_phantom.flows import playbooks as shipped
from prefect_phantom.flows.finding.app_places import app_folders

BESIDE = (".json", ".toml", ".yaml", ".yml")
"""What belongs to a file of code and has its name, such as ``triage.json`` beside ``triage.py``."""
INSTALLED = {"__pycache__", "site-packages", "dist-packages"}
"""Folders with nothing that belongs to a playbook."""
UNREADABLE = b"unreadable"
SHIPPED = Path(shipped.__path__[0]).resolve()
SETTLED_NANOSECONDS = 2_000_000_000
"""The coarsest clock of a file system: two changes of a file within it may look like one."""


def code_digest(folder: Path, apps: Sequence[Path] | None = None) -> str:
    """SHA-256 over the relative paths and contents of what belongs to a folder's playbooks.

    That is the folder's code and the code of the folders of apps, which are those of this process
    unless `apps` names others. A file is read again only when it may have changed.
    """
    digest = _digest_of(folder)
    for app_folder in app_folders() if apps is None else apps:
        digest.update(b"\0" + _digest_of(app_folder).digest())  # no path begins with a zero byte
    return digest.hexdigest()


def folder_of(entrypoint: str, folder: str | None) -> Path:
    """Where the code of a playbook is, of which a deployment says these."""
    if folder:
        return Path(folder)
    file = Path(entrypoint.rpartition(":")[0])
    return file.absolute().parent if file.suffix == ".py" else SHIPPED


def files_of(folder: Path) -> list[Path]:
    """The code below a folder and what belongs to it, in order; none of a folder that is missing.

    Hidden folders are left out, and with them what the tools of editors and versions keep there.
    """
    return sorted(_walk(folder), key=lambda file: file.relative_to(folder).parts)


def _walk(folder: Path) -> Iterator[Path]:
    seen = {os.path.realpath(folder)}  # links to folders are followed, and may lead in a circle
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in sorted(folders) if _is_own(place, name, seen)]
        code = {name.removesuffix(".py") for name in names if name.endswith(".py")}
        for name in names:
            stem, _, suffix = name.rpartition(".")
            if f".{suffix}" in {".py", *BESIDE} and stem in code and not name.startswith("."):
                yield Path(place, name)


def _is_own(place: str, name: str, seen: set[str]) -> bool:
    if name.startswith(".") or name in INSTALLED:
        return False
    path = Path(place, name)
    if path.is_symlink():
        target = os.path.realpath(path)
        if target in seen or Path(place).is_relative_to(target):
            return False
        seen.add(target)
    return True


@dataclass(frozen=True, slots=True)
class _File:
    """What was in a file, and what the file system said of it before it was read."""

    status: tuple[int, ...]
    settled: bool
    """Whether any change since then shows in `status`."""
    content: bytes
    """Its digest."""


_known: dict[Path, dict[Path, _File]] = {}
"""By folder: what was read of its files when it was last looked at."""


def _digest_of(folder: Path) -> hashlib._Hash:
    before, now = _known.get(folder, {}), {}
    digest = hashlib.sha256()
    for file in files_of(folder):
        try:
            now[file] = _read(file, before.get(file))
            content = now[file].content
        except OSError:
            content = UNREADABLE
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode(errors="surrogateescape"))
        digest.update(content)
    _known[folder] = now
    return digest


def _read(file: Path, known: _File | None) -> _File:
    asked = time.time_ns()
    found = file.stat()
    status = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    if known is not None and known.settled and known.status == status:
        return known
    settled = found.st_ctime_ns < asked - SETTLED_NANOSECONDS
    return _File(status, settled, hashlib.sha256(file.read_bytes()).digest())
