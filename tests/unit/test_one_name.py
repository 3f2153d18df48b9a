"""The one import name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prefect_phantom import apps
from prefect_phantom.flows.finding.import_failure import import_failure

ROOT = Path(__file__).parents[2]
LOAD_ALL = """
import collections, importlib, os, pkgutil, sys
import prefect_phantom
def load(package):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if found.name in {"prefect_phantom.flows.apps", "prefect_phantom.adapters.client"}:
            continue
        if not found.name.endswith("__main__"):
            module = importlib.import_module(found.name)
            if found.ispkg:
                load(module)
load(prefect_phantom)
files = collections.defaultdict(list)
for name, module in list(sys.modules.items()):
    if name.startswith("prefect_phantom") and getattr(module, "__file__", None):
        files[os.path.realpath(module.__file__)].append(name)
print(len(files), *(names for names in files.values() if len(names) > 1))
"""


def test_no_file_is_loaded_under_two_names() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD_ALL], capture_output=True, check=True)
    count, *twice = done.stdout.decode().split(maxsplit=1)
    assert int(count) > 400
    assert not twice


def test_the_apps_are_the_folder() -> None:
    assert Path(apps.__path__[0]).resolve() == ROOT / "flows" / "apps"


@pytest.mark.parametrize(
    ("former", "sentence"),
    [
        ("flows", 'Import "prefect_phantom" instead of "flows"'),
        ("adapters", 'Import "prefect_phantom" instead of "adapters"'),
        (
            "prefect_phantom.flows.apps.whois",
            'Import "prefect_phantom.apps" instead of "prefect_phantom.flows.apps"',
        ),
        (
            "prefect_phantom.adapters.client",
            'Import "prefect_phantom.client" instead of "prefect_phantom.adapters.client"',
        ),
    ],
)
def test_another_name_is_refused_in_one_sentence(former: str, sentence: str) -> None:
    command = [sys.executable, "-c", f"import {former}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == f"ImportError: {sentence}"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ModuleNotFoundError("No module named 'flows'", name="flows"),
            (
                "ModuleNotFoundError: No module named 'flows'."
                ' Import "prefect_phantom" instead of "flows"'
            ),
        ),
        (
            ModuleNotFoundError("No module named 'adapters.client'", name="adapters.client"),
            (
                "ModuleNotFoundError: No module named 'adapters.client'."
                ' Import "prefect_phantom.client" instead of "adapters.client"'
            ),
        ),
        (
            ImportError("cannot import name 'playbook' from 'flows'", name="flows"),
            (
                "ImportError: cannot import name 'playbook' from 'flows'."
                ' Import "prefect_phantom" instead of "flows"'
            ),
        ),
        (
            ImportError("cannot import name 'theirs' from 'flows'", name="flows"),
            "ImportError: cannot import name 'theirs' from 'flows'",
        ),
        (
            ModuleNotFoundError("No module named 'flows.theirs'", name="flows.theirs"),
            "ModuleNotFoundError: No module named 'flows.theirs'",
        ),
    ],
)
def test_what_wants_a_former_name_of_ours_is_told_the_new_one(
    error: ImportError, told: str
) -> None:
    assert import_failure(error) == told
