"""Which user may be the worker's, and what its folder has to be."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from adapters.settings import Settings
from adapters.supervisor.account import Account
from adapters.supervisor.failure import CannotStart

USER = 12_345


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


def test_a_folder_of_somebody_else_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    account = Account.of_worker(Settings(worker_user="runner"))
    assert account is not None
    with pytest.raises(CannotStart, match="is no folder of the user runner"):
        account.prepare(tmp_path / "certificate.pem")
