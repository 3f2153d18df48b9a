"""Which user may be the worker's, and what its folder has to be."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.account import Account
from tests.conftest import reachable_interpreter

USER = 12_345
NOBODY = 65_534


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The home of a user of this machine called ``runner``, which is not there yet."""
    folder = tmp_path / "runner"
    entry = pwd.struct_passwd(("runner", "x", USER, USER, "", str(folder), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"runner": entry}.__getitem__)
    monkeypatch.setattr(os, "getgrouplist", lambda *_: [USER])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return folder


def test_without_the_setting_it_is_the_user_of_up() -> None:
    assert Account.of_worker(Settings()) is None


def test_its_folder_is_its_home_unless_another_is_named(folder: Path) -> None:
    folder.mkdir()
    account = Account.of_worker(Settings(worker_user="runner"))
    assert account is not None
    assert (account.user, account.group, account.folder) == (USER, USER, folder)
    named = Account.of_worker(Settings(worker_user="runner", worker_home=folder / "own"))
    assert named is not None
    assert named.folder == folder / "own"


def test_a_user_without_a_home_needs_a_folder_that_is_named(folder: Path) -> None:
    with pytest.raises(CannotStart, match=r"has no home folder.*PREFECT_PHANTOM_WORKER_HOME"):
        Account.of_worker(Settings(worker_user="runner"))
    assert not folder.exists()


@pytest.mark.usefixtures("folder")
def test_only_root_can_start_another_users_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotStart, match="Only root can start the worker as runner"):
        Account.of_worker(Settings(worker_user="runner"))


PREPARES = """
import asyncio, json, os, sys
from pathlib import Path
from prefect_phantom.adapters.supervisor.home.account import Account
from prefect_phantom.adapters.supervisor.failure import CannotStart

folder, certificate, interpreter = map(Path, sys.argv[1:4])
sys.executable = str(interpreter)
account = Account(name="nobody", user=65534, group=65534, groups=(65534,), folder=folder)

async def main():
    await account.prepare(certificate)
    await account.require_readable()
    with account.opened() as opened:
        return {each.name: each.stat().st_uid for each in [folder, *Path(opened).iterdir()]}

try:
    print(json.dumps(asyncio.run(main())))
except CannotStart as error:
    print(error)
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user reaches."""
    folder = Path(tempfile.mkdtemp(prefix="account-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "certificate.pem").write_text("the certificate")
    yield folder
    shutil.rmtree(folder)


def prepared(
    reachable: Path, folder: Path, interpreter: str = sys.executable, **variables: str
) -> str:
    """What root is told when it prepares `folder` for the user ``nobody``."""
    certificate = str(reachable / "certificate.pem")
    done = subprocess.run(
        [*reachable_interpreter(), sys.executable, "-c", PREPARES, folder, certificate,
         interpreter],
        env=os.environ | variables, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def own_folder(reachable: Path) -> Path:
    """A folder of the user ``nobody``."""
    folder = reachable / "worker"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    return folder


@needs_root
def test_its_folders_are_made_where_only_root_may_make_some(reachable: Path) -> None:
    found = json.loads(prepared(reachable, reachable / "worker"))
    assert found == dict.fromkeys(["worker", "prefect", "tmp", "certificate.pem"], NOBODY)
    assert (reachable / "worker" / "certificate.pem").read_text() == "the certificate"
    assert json.loads(prepared(reachable, reachable / "worker")) == found


@needs_root
@pytest.mark.attack(
    "a run of PREFECT_PHANTOM_WORKER_USER that puts links in the place of what root makes for it",
    "root writes nothing there: that user does; a link to root's file stays one to root's file",
)
def test_root_follows_no_name_in_the_folder_of_another_user(reachable: Path) -> None:
    folder = own_folder(reachable)
    victim = reachable / "victim"
    victim.write_text("of root")
    victim.chmod(0o600)
    (folder / "certificate.pem").symlink_to(victim)
    (folder / "prefect").symlink_to(reachable)
    found = json.loads(prepared(reachable, folder))
    # Whoever is quick enough replaces what root has just made: so root makes nothing.
    assert found["certificate.pem"] == found["prefect"] == NOBODY
    assert (folder / "certificate.pem").read_text() == "the certificate"
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == ("of root", 0o600)
    assert reachable.stat().st_uid == 0


@needs_root
@pytest.mark.attack(
    "a run of PREFECT_PHANTOM_WORKER_USER that puts a folder in the place of its certificate",
    "the next `up` puts it aside",
)
def test_what_stands_in_the_way_of_its_folders_is_put_aside(reachable: Path) -> None:
    folder = own_folder(reachable)
    (folder / "certificate.pem" / "full").mkdir(parents=True)
    (folder / "tmp").write_text("")
    folder.chmod(0)
    for made in folder.iterdir():
        os.chown(made, NOBODY, NOBODY)
    assert "certificate.pem" in json.loads(prepared(reachable, folder))
    assert (folder / "certificate.pem").read_text() == "the certificate"
    assert (folder / "tmp").is_dir()


@needs_root
def test_a_folder_of_somebody_else_is_refused(reachable: Path) -> None:
    (reachable / "worker").mkdir()
    assert "nobody does not own the folder" in prepared(reachable, reachable / "worker")
    own_folder(reachable / "worker").rename(reachable / "own")
    (reachable / "own" / "linked").symlink_to(reachable / "worker")
    assert "nobody does not own the folder" in prepared(reachable, reachable / "own" / "linked")


@needs_root
@pytest.mark.attack(
    "a process of PREFECT_PHANTOM_WORKER_USER that reads the environment of what `up` starts as it",
    "there is nothing in it of root's",
)
def test_nothing_of_roots_environment_is_handed_to_that_user(reachable: Path) -> None:
    interpreter = reachable / "python"
    interpreter.write_text(f"#!/bin/sh\nenv >> {reachable}/seen\ncat > /dev/null\n")
    interpreter.chmod(0o755)
    (reachable / "seen").touch()
    (reachable / "seen").chmod(0o666)
    own_folder(reachable)
    prepared(
        reachable, reachable / "worker", str(interpreter), PREFECT_PHANTOM_ADMIN_PASSWORD="hunter2"
    )
    seen = (reachable / "seen").read_text()
    assert "PWD=" in seen
    assert "hunter2" not in seen


@needs_root
def test_an_interpreter_that_the_user_cannot_run_is_told(reachable: Path) -> None:
    own_folder(reachable)
    said = prepared(reachable, reachable / "worker", str(reachable / "certificate.pem"))
    assert "nobody cannot run" in said


def test_a_folder_that_does_not_answer_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    sleeping = tmp_path / "python"
    sleeping.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeping.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeping))
    monkeypatch.setattr("prefect_phantom.adapters.supervisor.home.account.SECONDS", 0.1)
    user, group = os.geteuid(), os.getegid()
    account = Account(name="runner", user=user, group=group, groups=(), folder=folder)
    with pytest.raises(CannotStart, match="has not read its folders within"):
        asyncio.run(account.require_readable())
