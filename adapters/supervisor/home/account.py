"""The account of another user, as whom `up` starts what executes playbooks."""

from __future__ import annotations

import asyncio
import errno
import os
import pwd
import stat
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import prefect_phantom
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.home import PRIVATE_FOLDER

SETTING = "PREFECT_PHANTOM_WORKER_USER"
OWN_FOLDER = Path(__file__).with_name("own_folder.py").read_text(encoding="utf-8")
SECONDS = 30.0
"""Longest time for what is done in folders before the worker is started."""
KILL_SECONDS = 1.0


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
            folder=(settings.worker_home or Path(entry.pw_dir)).expanduser().resolve(),
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

    @contextmanager
    def opened(self) -> Iterator[str]:
        """Its folder as a path that goes on to mean it, whatever the user puts in its place.

        Raises OSError when it is not the user's.
        """
        descriptor = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(descriptor).st_uid != self.user:
                raise PermissionError(errno.EPERM, f"{self.folder} is not of {self.name}")
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)

    async def prepare(self, certificate: Path) -> None:
        """Make the folders, and the copy of `certificate`.

        Raises `CannotStart` when they cannot be made, or are somebody else's.
        """
        self._make_folder()
        paths = [self.folder, self.certificate, self.prefect, self.temporary]
        content = await asyncio.to_thread(certificate.read_bytes)
        if wrong := await self._do("make", *paths, given=content):
            raise CannotStart(
                f"The user {self.name} {wrong}: name another folder in PREFECT_PHANTOM_WORKER_HOME"
            )

    def _make_folder(self) -> None:
        """Make it where the user cannot, and can put nothing in its place."""
        try:
            if not os.path.lexists(self.folder) and all(map(_is_of_root, self.folder.parents)):
                self.folder.mkdir(mode=PRIVATE_FOLDER)
                os.chown(self.folder, self.user, self.group)
        except OSError as error:
            raise CannotStart(
                f"The folder {self.folder} of the user {self.name} cannot be made"
                f" ({error.strerror or error}): name another one in PREFECT_PHANTOM_WORKER_HOME"
            ) from error

    async def require_readable(self, *folders: Path) -> None:
        """Raise `CannotStart` unless the user can run this program and read these folders."""
        package = Path(str(prefect_phantom.__file__)).parent
        needed = [each.resolve() for each in (package, package / "flows", package / "adapters")]
        if wrong := await self._do("look", *needed, *folders):
            raise CannotStart(f"The user {self.name} {wrong}")

    async def _do(self, command: str, *paths: Path, given: bytes = b"") -> str:
        """What `own_folder` says of what it is to do, as this user."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", OWN_FOLDER, command),
                *map(str, paths),
                user=self.user,
                group=self.group,
                extra_groups=self.groups,
                cwd="/",
                env={},  # nothing of ours: whatever runs as this user can read it there
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
            )
        except OSError as error:
            raise self._cannot_run() from error
        try:
            async with asyncio.timeout(SECONDS):
                said, _ = await process.communicate(given)
        except TimeoutError as error:
            process.kill()
            with suppress(TimeoutError):  # a file system that hangs lets nothing in it end
                async with asyncio.timeout(KILL_SECONDS):
                    await process.communicate()
            raise CannotStart(
                f"The user {self.name} has not read its folders within {SECONDS:.0f} s: look"
                f" whether the file systems of {' '.join(map(str, paths))} answer"
            ) from error
        if process.returncode:
            raise self._cannot_run()
        return said.decode(errors="replace")

    def _cannot_run(self) -> CannotStart:
        return CannotStart(
            f"The user {self.name} cannot run {Path(sys.executable).resolve()}: install"
            " Python and prefect-phantom where every user can read them, such as /opt"
        )


def _is_of_root(folder: Path) -> bool:
    """Whether only root changes what names in it stand for, once they are there."""
    status = folder.stat()
    closed = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_mode & stat.S_ISVTX
    return status.st_uid == 0 and bool(closed)
