"""Fields of a JSON object, each read as the type that the contract gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.between.time_text import moment
from prefect_phantom.adapters.errors import BadField, FieldMissing, NothingToChange, NotUpdatable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

IDENTIFIER = "an integer id, or a string of its digits"
LONGEST_INDEXED = 512
"""Characters of what is looked up by an index; PostgreSQL can index no more than 2.7 kB."""


class Fields:
    """Typed access to a body. Absent and null are the same, except where a method says so."""

    def __init__(self, body: dict[str, object]) -> None:
        self.body = body

    def refuse_others(self, updatable: Sequence[str], thing: str) -> None:
        """Raise `NotUpdatable` when the body has any other field than these."""
        others = [name for name in self.body if name not in updatable]
        if others:
            raise NotUpdatable(others, thing, ", ".join(updatable))

    def require(self, name: str) -> None:
        """Raise `FieldMissing` when the field is absent or null."""
        if self.body.get(name) is None:
            raise FieldMissing(name)

    def asks(self, name: str) -> bool:
        """Whether the field is true-like: true, 1, "1", or "true" in any case (our decision)."""
        value = self.body.get(name)
        if isinstance(value, str):
            return value.lower() in {"1", "true"}
        return value is True or (isinstance(value, int) and value == 1)

    def identifier(self, name: str) -> int | None:
        """An integer id; strings of digits are accepted everywhere (our decision)."""
        value = self.body.get(name)
        if value is None:
            return None
        number = as_identifier(value)
        if number is None:
            raise BadField(name, value, IDENTIFIER)
        return number

    def required_identifier(self, name: str) -> int:
        """An integer id that has to be there. Raises `FieldMissing` and `BadField`."""
        number = self.identifier(name)
        if number is None:
            raise FieldMissing(name)
        return number

    def user(self, name: str) -> int | str | None:
        """A user's id, or username (sent by published clients). Empty is none."""
        value = self.body.get(name)
        if value is None or value == "":
            return None
        number = as_identifier(value)
        if number is None and not isinstance(value, str):
            raise BadField(name, value, "a user's id or username")
        return value if number is None and isinstance(value, str) else number

    def text(self, name: str, *, longest: int | None = None) -> str | None:
        """A string of at most `longest` characters."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise BadField(name, value, "a string")
        if longest is not None and len(value) > longest:
            raise BadField(name, value, f"a string of at most {longest} characters")
        return value

    def filled_text(self, name: str, *, longest: int | None = None) -> str | None:
        """A string that is not empty."""
        value = self.text(name, longest=longest)
        if value == "":
            raise BadField(name, value, "a string that is not empty")
        return value

    def texts(self, name: str) -> list[str] | None:
        """A list of strings."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadField(name, value, "a list of strings")
        return value

    def mapping(self, name: str) -> dict[str, object] | None:
        """A JSON object."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise BadField(name, value, "an object")
        return value

    def flag(self, name: str) -> bool | None:
        """True or false, each in the spellings of `asks`. Any other value is refused."""
        value = self.body.get(name)
        if value is None or self.asks(name):
            return None if value is None else True
        if isinstance(value, str) and value.lower() in {"0", "false"}:
            return False
        if isinstance(value, int) and value == 0:
            return False
        raise BadField(name, value, "true or false")

    def cleared(
        self, changes: DataclassInstance, clearable: Sequence[str], thing: str
    ) -> list[str]:
        """Which of the `clearable` fields a change sets to null; an empty owner is nobody, too.

        `changes` is what was read from the body. Raises `NothingToChange` when neither it nor
        what is cleared says anything.
        """
        empty = [
            name
            for name in clearable
            if name in self.body
            and (self.body[name] is None or (name == "owner_id" and self.body[name] == ""))
        ]
        names = [each.name for each in fields(changes)]
        if not empty and all(getattr(changes, name) is None for name in names):
            raise NothingToChange(thing, names)
        return empty

    def time(self, name: str) -> datetime | None:
        """An ISO 8601 time."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return moment(value)
        except ValueError as error:
            raise BadField(name, value, "an ISO 8601 time") from error


def as_identifier(value: object) -> int | None:
    """The id that `value` stands for: an integer or a string of digits; None if it is neither."""
    number = value
    if isinstance(value, str):
        # Longer ones name nothing that exists, and Python refuses to read very long ones.
        is_digits = value.isascii() and value.isdecimal() and len(value) <= len(str(LARGEST_ID))
        number = int(value) if is_digits else None
    if isinstance(number, bool) or not isinstance(number, int) or number > LARGEST_ID:
        return None
    return number
