"""The home folder of an installation: what is kept in it, and who works on it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from prefect_phantom.adapters.security.random_text import random_text
from prefect_phantom.adapters.supervisor.failure import CannotStart, HomeInUse

SECRET_BYTES = 32  # 256 bits: cannot be guessed, so a plain SHA-256 of it may be stored
CLOCK_SECONDS = 5.0
"""How far the start of a process and the time of a file may be apart."""
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


class Home:
    """A folder that only its owner can enter. Secrets in it are made once and kept."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.logs = self.path / "logs"
        self.postgres = self.path / "postgres"
        self.prefect = self.path / "prefect"
        self.certificate = self.path / "certificate.pem"
        self.certificate_key = self.path / "certificate.key"
        self.operator_token_file = self.path / "operator.token"
        self.prefect_auth_file = self.path / "prefect.auth"
        self.runtime_key_file = self.path / "runtime.key"
        self.whois_port_file = self.path / "whois.port"
        self.url_file = self.path / "url"
        self.settings_file = self.path / "settings.json"
        self.lock_file = self.path / "lock"

    def prepare(self) -> None:
        """Make the folders.

        Raises `CannotStart` for a folder of somebody else, or one that holds other things: its
        mode is about to be changed.
        """
        try:
            self.path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._refuse_foreign_folder()
            self.path.chmod(PRIVATE_FOLDER)
            for folder in (self.logs, self.postgres, self.prefect):
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        except OSError as error:
            reason = error.strerror or str(error)
            raise CannotStart(
                f"The home folder {self.path} cannot be used ({reason}): choose another with --home"
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold this home until the end of the block; the kernel lets go when we are killed.

        Raises `HomeInUse` when another process holds it.
        """
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        with os.fdopen(descriptor, "r+", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise HomeInUse(self.path, file.read().strip() or "unknown") from error
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    @property
    def holder(self) -> int | None:
        """The process that holds this home; None when it has ended."""
        try:
            process = psutil.Process(int(self.lock_file.read_text(encoding="ascii")))
            # Its number may be another's by now: it began before it wrote that down.
            written = self.lock_file.stat().st_mtime
            return process.pid if process.create_time() <= written + CLOCK_SECONDS else None
        except (OSError, ValueError, psutil.Error):
            return None

    @property
    def operator_token(self) -> str:
        """Token of the automation user ``operator``, for commands that are given this home."""
        return self._kept(self.operator_token_file, _new_secret)

    @property
    def prefect_auth(self) -> str:
        """``user:password`` of our Prefect server, for its UI as well."""
        return self._kept(self.prefect_auth_file, lambda: f"admin:{_new_secret()}")

    @property
    def runtime_key(self) -> str:
        """Shared secret of the gateway and its workers."""
        return self._kept(self.runtime_key_file, _new_secret)

    def write(self, file: Path, text: str) -> None:
        """Write `text` to `file`, at once and readable by the owner only."""
        draft = file.with_name(f".{file.name}.draft")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)

    def _kept(self, file: Path, make: Callable[[], str]) -> str:
        # A blank one, of a full disk or a bad backup, would let anybody in.
        if not file.exists() or not file.read_text(encoding="ascii").strip():
            self.write(file, make() + "\n")
        return file.read_text(encoding="ascii").strip()

    def _refuse_foreign_folder(self) -> None:
        status = self.path.stat()
        if status.st_uid != os.geteuid():
            raise CannotStart(
                f"The home folder {self.path} belongs to another user: choose another with --home"
            )
        open_to_others = stat.S_IMODE(status.st_mode) != PRIVATE_FOLDER
        if open_to_others and not self.lock_file.exists() and any(self.path.iterdir()):
            raise CannotStart(
                f"The folder {self.path} holds other things and is no home of prefect-phantom:"
                " choose an empty one with --home"
            )


def _new_secret() -> str:
    return random_text(SECRET_BYTES)
