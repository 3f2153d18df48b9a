"""What all answers have in common."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Part of an answer. What a newer gateway says besides does no harm, and is kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Item(Answer):
    """A thing that is read at ``/rest/RESOURCE/ID`` and listed at ``/rest/RESOURCE``."""

    resource: ClassVar[str]
    id: int


ItemT = TypeVar("ItemT", bound=Item)
