"""Fields that callers write: each is declared once, for its column and for a request's body."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, TypeAlias, get_type_hints

from sqlalchemy import Column
from sqlalchemy import Text as TextType
from sqlalchemy import text as sql

from prefect_phantom.adapters.store.tables.columns import json, reference, time


class Content(Enum):
    """What a field holds."""

    TEXT = "a text"
    FILLED_TEXT = "a text that is not empty"
    TEXTS = "a list of texts"
    OBJECT = "a JSON object"
    TIME = "a moment"
    USER = "a user, by id or username"


@dataclass(frozen=True, slots=True)
class Written:
    """A field that callers may write.

    Attributes:
        content: What it holds.
        default: What a new row has when nothing is said; None for null, or for what the store fills
            in itself when `required`.
        required: Whether the column is never null, and so cannot be cleared.
        indexed: Whether it is looked up by an index, which bounds its length.
    """

    content: Content
    default: str | None = None
    required: bool = False
    indexed: bool = False

    def column(self, name: str) -> Column[Any]:
        """Its column."""
        match self.content:
            case Content.TEXTS:
                return json(name, "[]")
            case Content.OBJECT:
                return json(name, "{}")
            case Content.TIME:
                return time(name, now=self.required)
            case Content.USER:
                return reference(name, "users.id", null=True)
        default = None if self.default is None else sql(f"'{self.default}'")
        return Column(name, TextType, nullable=not self.required, server_default=default)

    @property
    def clearable(self) -> bool:
        """Whether null in a body clears it."""
        return not self.required and self.content not in {Content.TEXTS, Content.OBJECT}


Text: TypeAlias = Annotated[str | None, Written(Content.TEXT)]
Texts: TypeAlias = Annotated[list[str] | None, Written(Content.TEXTS)]
Object: TypeAlias = Annotated[dict[str, object] | None, Written(Content.OBJECT)]
Time: TypeAlias = Annotated[datetime | None, Written(Content.TIME)]
TimeOrNow: TypeAlias = Annotated[datetime | None, Written(Content.TIME, required=True)]
User: TypeAlias = Annotated[int | str | None, Written(Content.USER)]
Identifier: TypeAlias = Annotated[
    str | None, Written(Content.FILLED_TEXT, required=True, indexed=True)
]
"""What callers call a thing by; the store makes one up when nothing is said."""


def filled(default: str = "", *, indexed: bool = False) -> Written:
    """A text that is not empty; a row of which nothing is said has the default."""
    return Written(Content.FILLED_TEXT, default, required=True, indexed=indexed)


@functools.cache
def written(thing: type) -> Mapping[str, Written]:
    """What can be written of a thing, by the names of its fields."""
    return {
        name: hint.__metadata__[0]
        for name, hint in get_type_hints(thing, include_extras=True).items()
    }


def columns(thing: type) -> list[Column[Any]]:
    """The columns of what can be written of a thing."""
    return [field.column(name) for name, field in written(thing).items()]
