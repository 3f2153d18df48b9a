"""The errors for queries of lists that cannot be answered."""

from __future__ import annotations

from prefect_phantom.adapters.errors.request import Invalid
from prefect_phantom.adapters.errors.root import cut, shown


class NoSuchPage(Invalid):
    """Page past the end. Clients take these recorded words as the end of the list."""

    def __init__(self, page: int) -> None:
        super().__init__(f"Invalid page ({page}): That page contains no results")


class UnknownField(Invalid):
    """A filter names a field that there is not; lists those that there are."""

    def __init__(self, parameter: str, name: str, resource: str, valid: list[str]) -> None:
        super().__init__(
            f"{shown(name)} in {shown(parameter)} is not a field of {resource}; "
            f"valid fields are {', '.join(valid)}"
        )


class UnknownLookup(Invalid):
    """A filter names a lookup that its field has not; lists those that it has."""

    def __init__(self, parameter: str, lookup: str, field: str, valid: list[str]) -> None:
        super().__init__(
            f"{shown(lookup)} in {shown(parameter)} is not a lookup of {field}; "
            f"valid lookups are {', '.join(valid)}"
        )


class BadFilter(Invalid):
    """The value of a filter does not fit its field or lookup."""

    def __init__(self, parameter: str, text: str, accepted: str) -> None:
        super().__init__(f"{cut(parameter)} must be compared with {accepted}, not {shown(text)}")


class BadPattern(Invalid):
    """PostgreSQL cannot read a regular expression."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The filter cannot be evaluated: {cut(reason)}")


class BadQuery(Invalid):
    """The query of a list breaks a rule; the reason begins with a verb."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The query {reason}")


class TooCostly(Invalid):
    """A list, or what is like one, takes longer than lists may; says what to do instead."""

    def __init__(
        self,
        seconds: int,
        what: str = "list",
        advice: str = "filter by id, container, status or time first",
    ) -> None:
        super().__init__(f"The {what} takes longer than {seconds} s; {advice}")
