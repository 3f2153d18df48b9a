"""Folders that settings name and that are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.home.folders import folder_refusals


def test_folders_that_are_there_are_right(tmp_path: Path) -> None:
    assert list(folder_refusals(Settings(playbooks=[tmp_path], apps=[tmp_path]))) == []


def test_each_that_is_none_is_named_with_what_sets_it(tmp_path: Path) -> None:
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.touch()
    assert list(folder_refusals(Settings(playbooks=[tmp_path, missing], apps=[file]))) == [
        f"{missing} does not exist: name a folder of playbooks with --playbooks",
        f"{file} is no folder: name a folder of apps with PREFECT_PHANTOM_APPS",
    ]


def test_one_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As whoever is not root would be told.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert list(folder_refusals(Settings(playbooks=[tmp_path]))) == [
        f"{tmp_path} cannot be read: name a folder of playbooks with --playbooks"
    ]
