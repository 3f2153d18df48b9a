"""What a caller asks of a list, parsed but not yet compared with what there is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

PATTERNS = frozenset({"regex", "iregex"})
"""Lookups whose value is a regular expression."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was sent.

    `content` is what a Python or JSON literal stands for: a text, number, boolean, None, or a list
    or dictionary of them. For a text without quotes it is the same as `text`.
    """

    text: str
    content: object


@dataclass(frozen=True, slots=True)
class Condition:
    """One ``_filter_`` or, `negated`, one ``_exclude_``. `name` is all that follows, unsplit."""

    name: str
    value: Given
    negated: bool = False

    @property
    def parameter(self) -> str:
        """The parameter as it was sent."""
        return f"{'_exclude_' if self.negated else '_filter_'}{self.name}"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Which part of a list, in which order, and how much of each thing.

    Pages count from 0. A `page_size` of 0 is all. `sort` None is by id.
    """

    page: int = 0
    page_size: int = 10
    sort: str | None = None
    descending: bool = False
    pretty: bool = False
    expensive: bool = False
    conditions: list[Condition] = field(default_factory=list)

    @property
    def has_patterns(self) -> bool:
        """Whether a condition compares with a regular expression."""
        return any(each.name.rpartition("__")[2] in PATTERNS for each in self.conditions)

    def where(self, name: str, identifier: int) -> Self:
        """The same, of those things only whose field `name` is the id of something."""
        condition = Condition(name, Given(str(identifier), identifier))
        return replace(self, conditions=[*self.conditions, condition])
