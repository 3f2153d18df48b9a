"""What a gateway is told of repositories, whatever is found in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Repositories:
    """Names of repositories that are known from the start, and ids that playbooks are to have."""

    names: Sequence[str] = ()
    ids: Mapping[str, object] = field(default_factory=dict)
    """By ``repository/name``, for when a playbook is first seen."""
