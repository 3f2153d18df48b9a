"""A list of the contract, read page by page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Generic
from urllib.parse import urlencode

from pydantic import BaseModel

from prefect_phantom.client.call import REPEAT_SECONDS, Call
from prefect_phantom.client.models import ItemT

PAGE_SIZE = 100
"""Items of a page. One is read when the first of its items is asked for."""


class Page(BaseModel, Generic[ItemT]):
    """Some items of a list that has `count` of them."""

    count: int
    data: list[ItemT]


class Pages(Generic[ItemT]):
    """Which page comes next.

    In the order of ids a page begins after the last id that was seen, so that nothing is missed
    or seen twice when things come and go meanwhile. In any other order it begins at a number.
    """

    def __init__(
        self,
        kind: type[ItemT],
        conditions: Mapping[str, object],
        *,
        path: str | None = None,
        sort: str = "id",
        page_size: int = PAGE_SIZE,
        exclude: Mapping[str, object] | None = None,
        expensive: bool = False,
    ) -> None:
        if page_size < 1:
            raise ValueError("page_size must be at least 1")
        self._kind = kind
        self._path = path or f"/rest/{kind.resource}"
        self._conditions = {
            name: _literal(value) for name, value in conditions.items() if value is not None
        }
        self._fixed = {"page_size": str(page_size), "sort": sort}
        if expensive:
            self._fixed["include_expensive"] = "true"
        for name, value in (exclude or {}).items():
            self._fixed[f"_exclude_{name}"] = _literal(value)
        # The name of the condition by which an order of ids goes on.
        self._beyond = {"id": "id__gt", "-id": "id__lt"}.get(sort)
        self._size = page_size
        self._number = 0
        self.more = True
        """Another page may be asked for."""

    def call(self) -> Call[Page[ItemT]]:
        """The request for the next page."""
        query = self._fixed | {f"_filter_{name}": text for name, text in self._conditions.items()}
        if self._number and not self._beyond:
            query["page"] = str(self._number)
        return Call(
            method="GET",
            path=f"{self._path}?{urlencode(query)}",
            # A generic model of a type that is known only here.
            parse=Page[self._kind].model_validate,  # type: ignore[name-defined]
            repeat_seconds=REPEAT_SECONDS,
        )

    def read(self, page: Page[ItemT]) -> list[ItemT]:
        """The items of a page that has come; what is asked for next comes after them."""
        self._number += 1
        if self._beyond:
            # The count is of what comes from this page on.
            self.more = page.count > len(page.data) > 0
            if page.data:
                self._conditions[self._beyond] = str(page.data[-1].id)
        else:
            self.more = page.count > self._number * self._size and bool(page.data)
        return page.data


def _literal(value: object) -> str:
    """A value as the contract's filters take it: a JSON literal."""
    return json.dumps(value, default=_text)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"A filter cannot compare with {value!r}")
