"""The Dockerfile, as far as it can be checked without a daemon."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from tests.deployments.conftest import ROOT


def instructions(deployments: Path) -> list[tuple[str, str]]:
    lines = (deployments / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.partition(" ")[2]) for line in lines if line and line[0] != "#"]


def _runs(deployments: Path) -> list[str]:
    return [rest for name, rest in instructions(deployments) if name == "RUN"]


def test_everything_that_is_copied_is_there_and_reaches_the_daemon(deployments: Path) -> None:
    ignored = (deployments / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    copied = [
        source.rstrip("/")
        for name, rest in instructions(deployments)
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in let_in), source


def test_what_is_installed_is_locked(deployments: Path) -> None:
    runs = " ".join(_runs(deployments))
    locks = re.findall(r"--(?:constraint|requirement) (\S+)", runs)
    assert set(locks) == {
        "requirements/uv.txt",
        "requirements/build.txt",
        "requirements/image.txt",
    }
    installs = re.findall(r"pip install ([^&\n]*)", "\n".join(_runs(deployments)))
    assert len(installs) == 3
    for words in installs:
        ours = "--offline" in words and "--no-deps" in words and words.split()[-1] == "dist/*.whl"
        assert "--require-hashes" in words or ours, words
    for file in locks:
        pinned = [line for line in (ROOT / file).read_text().splitlines() if "==" in line]
        assert len(pinned) == (ROOT / file).read_text().count("==") - sum(
            line.count("==") - 1 for line in pinned
        )
        assert (ROOT / file).read_text().count("--hash=sha256:") >= len(pinned)


def test_it_runs_as_nobody_in_particular(deployments: Path) -> None:
    last_stage = instructions(deployments)
    users = [rest for name, rest in last_stage if name == "USER"]
    assert users == ["10001:10001"]
