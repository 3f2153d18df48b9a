"""The process that does such work: reads what to do, and writes what came of it, until idle.

Everything on its standard input and output is JSON after 8 octets that say its length.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import resource
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

IDLE_SECONDS = 10
LARGEST_MEMORY = 2 * 1024 * 1024 * 1024
"""In bytes."""


def main() -> None:
    """Do one piece of work after the other."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    _limit(resource.RLIMIT_AS, LARGEST_MEMORY)
    _become_package()
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        asked = _read(int.from_bytes(_read(8)))
        work = json.loads(asked)
        # Should nobody be left who could end this process, the kernel does.
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + work["seconds"]) + 2)
        try:
            answer = {"value": _function(work["function"])(*work["arguments"])}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            answer = {"error": f"{type(error).__name__}: {error}"}
        said = json.dumps(answer).encode()
        rest = memoryview(len(said).to_bytes(8) + said)
        while rest:
            rest = rest[os.write(answers, rest) :]


def _read(length: int) -> bytes:
    octets = bytearray()
    while len(octets) < length:
        piece = os.read(0, min(length - len(octets), 1 << 20))
        if not piece:
            sys.exit()  # whoever asks is gone
        octets += piece
    return bytes(octets)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


@functools.cache
def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(f"work.{module}"), function)
    return found


def _become_package() -> None:
    """Make the modules beside this one importable without what is above them."""
    here = Path(__file__).parent
    spec = importlib.util.spec_from_file_location(
        "work", here / "__init__.py", submodule_search_locations=[str(here)]
    )
    assert spec  # noqa: S101 - it is a package
    sys.modules["work"] = importlib.util.module_from_spec(spec)


if __name__ == "__main__":
    main()
