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


class BadIdsFile(ValueError):
    """The file of ids cannot be used. Its text is a sentence for whoever starts the gateway."""


def read_ids(file: Path) -> Mapping[str, object]:
    """The ids in a JSON file ``{"repository/name": id}``. Raises `BadIdsFile`."""
    try:
        ids = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadIdsFile(f"{file} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BadIdsFile(f"{file} is not JSON: {error}") from error
    if not isinstance(ids, dict):
        raise BadIdsFile(f'{file} must hold a JSON object such as {{"local/triage": 107}}')
    return ids
