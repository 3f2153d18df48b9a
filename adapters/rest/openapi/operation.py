"""What a handler says of itself. Its docstring is its description."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar

from prefect_phantom.adapters.errors import PhantomError
from prefect_phantom.adapters.store.listing.resource import Resource

Schema: TypeAlias = Mapping[str, Any]
"""A JSON Schema, of draft 2020-12 as OpenAPI 3.1 has it."""
HandlerT = TypeVar("HandlerT", bound=Callable[..., object])


class Shape(Enum):
    """Answers that are made of what the store declares of a resource."""

    LIST = "list"
    THING = "thing"
    FIELD = "field"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A declaration, and the decorator that makes it.

    Attributes:
        shape: Of an answer about a resource; `resource` is which, where the handler is not a
            method of its `Lists`.
        answer: An example of any other answer, from which its schema is read.
        optional: Fields of the answer that are not always there.
        body: Schemas of the fields that are read from a request's body; `required` must be there.
        sent: An example of a body.
        query: Schemas of parameters, besides those of every list.
        headers: Schemas of headers that are read, besides credentials.
        refusals: Errors beyond those that every such request may get.
        media_type: Of the answer.
    """

    shape: Shape | None = None
    resource: Resource | None = None
    answer: object = None
    optional: Sequence[str] = ()
    body: Mapping[str, Schema] = field(default_factory=dict)
    required: Sequence[str] = ()
    sent: Mapping[str, object] | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)
    refusals: Sequence[type[PhantomError]] = ()
    media_type: str = "application/json"

    def __call__(self, handler: HandlerT) -> HandlerT:
        """Declare this of the decorated handler."""
        DECLARED[handler] = self
        return handler


DECLARED: Final[dict[object, Operation]] = {}
"""Declarations by handler; a method stands for those of all its objects."""


def method_of(handler: object) -> Callable[..., Any]:
    """The function or bound method that `handler` calls in the end."""
    called: Any = getattr(handler, "func", None) or handler
    method: Callable[..., Any] = inspect.unwrap(called)
    return method


def declared(handler: object) -> Operation | None:
    """The declaration of `handler`, None without.

    An object may have its methods' declarations in a property `operations`.
    """
    method = method_of(handler)
    own: Mapping[str, Operation] = getattr(getattr(method, "__self__", None), "operations", {})
    if method.__name__ in own:
        return own[method.__name__]
    return DECLARED.get(getattr(method, "__func__", method))


def resource_of(handler: object, declaration: Operation) -> Resource | None:
    """What `handler` answers about, if that is a resource."""
    if declaration.shape is None or declaration.resource is not None:
        return declaration.resource
    method: Any = method_of(handler)
    resource: Resource = method.__self__.resource
    return resource
