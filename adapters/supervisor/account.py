"""The account of another user, as whom `up` starts what executes playbooks."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import adapters
import flows
from adapters.settings import Settings
from adapters.supervisor.failure import CannotStart
from adapters.supervisor.home import PRIVATE_FOLDER

SETTING = "PREFECT_PHANTOM_WORKER_USER"
LOOKS = "import os, sys; print(*(f for f in sys.argv[1:] if not os.access(f, os.R_OK | os.X_OK)))"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user of this machine, and the folder that its processes have for themselves."""

    name: str
    user: int
    group: int
    groups: tuple[int, ...]
    folder: Path

    @classmethod
    def of_worker(cls, settings: Settings) -> Self | None:
        """The account that the settings name for the worker; None where it is that of `up`.

        Raises `CannotStart` when there is no such user, or this one may not become it.
        """
        name = settings.worker_user
        if name is None:
            return None
        try:
            entry = pwd.getpwnam(name)
        except KeyError as error:
            raise CannotStart(f"{SETTING} names no user of this machine: {name}") from error
        if entry.pw_uid == os.geteuid():
            raise CannotStart(
                f"{SETTING} names the user that `up` itself is started by, {name}: playbooks would"
                " read all that the gateway can; name another one, or leave the setting out"
            )
        if os.geteuid() != 0:
            raise CannotStart(f"Only root can start the worker as {name}: leave out {SETTING}")
        if settings.worker_home is None and not Path(entry.pw_dir).is_dir():
            raise CannotStart(
                f"The user {name} has no home folder: name a folder for it in"
                " PREFECT_PHANTOM_WORKER_HOME"
            )
        return cls(
            name=name,
            user=entry.pw_uid,
            group=entry.pw_gid,
            groups=tuple(os.getgrouplist(name, entry.pw_gid)),
            folder=settings.worker_home or Path(entry.pw_dir),
        )

    @property
    def prefect(self) -> Path:
        """Folder of Prefect's own files."""
        return self.folder / "prefect"

    @property
    def temporary(self) -> Path:
        """Folder of temporary files."""
        return self.folder / "tmp"

    @property
    def certificate(self) -> Path:
        """A copy of the installation's certificate, whose own place is closed to this user."""
        return self.folder / "certificate.pem"

    def prepare(self, certificate: Path) -> None:
        """Make the folders.

        Raises `CannotStart` when they cannot be made, or are somebody else's.
        """
        try:
            for folder in (self.folder, self.prefect, self.temporary):
                self._make(folder)
            self.certificate.unlink(missing_ok=True)
            self.certificate.write_bytes(certificate.read_bytes())
            self.certificate.chmod(0o644)
        except OSError as error:
            raise CannotStart(
                f"The folder {self.folder} of the user {self.name} cannot be used"
                f" ({error.strerror or error}): name another one in PREFECT_PHANTOM_WORKER_HOME"
            ) from error

    def require_readable(self, *folders: Path) -> None:
        """Raise `CannotStart` unless the user can run this program and read these folders."""
        needed = [Path(str(package.__file__)).parent for package in (adapters, flows)]
        words = [str(folder) for folder in (*needed, self.folder, *folders)]
        try:
            done = subprocess.run(  # noqa: S603 - no shell; the words are ours
                [sys.executable, "-I", "-S", "-c", LOOKS, *words],
                user=self.user,
                group=self.group,
                extra_groups=self.groups,
                cwd="/",
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotStart(
                f"The user {self.name} cannot run {Path(sys.executable).resolve()}: install"
                " Python and prefect-phantom where every user can read them, such as /opt"
            ) from error
        if closed := done.stdout.strip():
            raise CannotStart(f"The user {self.name} cannot read {closed}: let it, or move that")

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=PRIVATE_FOLDER)
        except FileExistsError:
            status = folder.lstat()
            if status.st_uid != self.user or not folder.is_dir() or folder.is_symlink():
                raise CannotStart(
                    f"{folder} is no folder of the user {self.name}: name another one in"
                    " PREFECT_PHANTOM_WORKER_HOME"
                ) from None
        else:
            os.chown(folder, self.user, self.group)
