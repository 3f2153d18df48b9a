"""A good start for a playbook: the playbook, a container to try it on, and a test."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

FILES = {
    "playbook.py.txt": "{name}.py",
    "sample.json.txt": "samples/{name}.json",
    "test.py.txt": "tests/test_{name}.py",
}


def write(name: str, folder: Path) -> list[Path]:
    """Write the files of a new playbook into `folder`, and return them.

    Raises:
        ValueError: `name` cannot be that of a Python function and file.
        FileExistsError: one of the files is there already; nothing was written.

    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        message = (
            f'"{name}" cannot be the name of a new playbook: small letters, digits and _ make a '
            "name for its file and its function; `@playbook(name=...)` gives it any other"
        )
        raise ValueError(message)
    files = {source: folder / target.format(name=name) for source, target in FILES.items()}
    for file in files.values():
        if file.exists():
            message = f"{file} is there already"
            raise FileExistsError(message)
    for source, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        text = resources.files(__name__).joinpath(source).read_text()
        file.write_text(text.replace("NAME", name))
    return list(files.values())
