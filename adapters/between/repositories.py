"""What a gateway is told of repositories, whatever is found in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Repositories:
    """Names of repositories that are known from the start, and ids that playbooks are to have."""

    names: Sequence[str] = ()
    ids: Mapping[str, object] = field(default_factory=dict)
    """By ``repository/name``, for when a playbook is first seen."""


def read_ids(file: Path) -> Mapping[str, object]:
    """The ids in a JSON file ``{"repository/name": id}``. Raises ValueError with a sentence."""
    try:
        ids = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{file} cannot be read ({error.strerror})"
        raise ValueError(message) from error
    except ValueError as error:
        message = f"{file} is not JSON: {error}"
        raise ValueError(message) from error
    if not isinstance(ids, dict):
        message = f'{file} must hold a JSON object such as {{"local/triage": 107}}'
        raise ValueError(message)  # noqa: TRY004 - what is wrong is the file
    return ids
