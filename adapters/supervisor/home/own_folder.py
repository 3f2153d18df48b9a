"""Makes the folders of a user, as that user: ``python -I -S own_folder.py COMMAND PATH...``.

Root may follow no name in a folder of another user, who can change what it stands for while root
looks. So the user makes its folders itself, in a process that can do no more than its runs can.
What is wrong is one sentence on standard output. Of the standard library alone.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path

PRIVATE_FOLDER = 0o700


def look(*folders: Path) -> str:
    """Say which folders the user cannot read."""
    closed = [str(folder) for folder in folders if not os.access(folder, os.R_OK | os.X_OK)]
    return f"cannot read {' '.join(closed)}: let it, or move that" if closed else ""


def make(folder: Path, certificate: Path, *inside: Path) -> str:
    """Make `folder` with those `inside`, and the file `certificate` from standard input."""
    if not os.path.lexists(folder):
        folder.mkdir()
    if not _is_own_folder(folder):
        return f"does not own the folder {folder}"
    _open_to_its_owner(folder)
    for path in inside:
        if not _is_own_folder(path):
            _put_aside(path)
            path.mkdir()
        _open_to_its_owner(path)
    draft = _beside(certificate)
    draft.write_bytes(sys.stdin.buffer.read())
    if certificate.is_dir():
        _put_aside(certificate)
    draft.replace(certificate)
    return ""


def _is_own_folder(path: Path) -> bool:
    """Whether it is a folder of this user, and no link to one."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _open_to_its_owner(folder: Path) -> None:
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) | PRIVATE_FOLDER)


def _put_aside(path: Path) -> None:
    """Free a name: whatever a run has put there must not keep `up` from starting ever again."""
    if os.path.lexists(path):
        path.rename(_beside(path))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.{secrets.token_hex(8)}")


if __name__ == "__main__":
    os.umask(0o077)
    paths = map(Path, sys.argv[2:])
    try:
        sentence = make(*paths) if sys.argv[1] == "make" else look(*paths)
    except OSError as error:
        sentence = f"cannot use {error.filename} ({error.strerror})"
    sys.stdout.write(sentence)
