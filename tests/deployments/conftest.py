"""What the tests of deployments/ share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.prefix) / "deployments"


@pytest.fixture(scope="session")
def deployments() -> Path:
    return ROOT / "deployments"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with a Helm in ``bin`` and with the schemas, on the path."""
    if not (TOOLS / "complete").exists():
        assert not os.environ.get("CI"), "`make test` installs what these tests need"
        pytest.skip("`make .venv/deployments/complete` installs what this needs")
    monkeypatch.syspath_prepend(str(TOOLS))
    return TOOLS
