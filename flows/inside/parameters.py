"""Parameters of an action: a pydantic model made of its function's signature."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from prefect_phantom.flows.asset import Asset
from prefect_phantom.flows.failure import WrongParameter
from prefect_phantom.flows.inside.json_values import plain

CONTEXT = "context"
"""What a parameter set may say beside the parameters; kept with the result, as Phantom does."""
LONGEST_VALUE = 100
"""How much of a wrong value stands in the sentence about it."""
_NAMED = {
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
}


class Parameters:
    """What an action takes, found out once when it is defined.

    Raises:
        TypeError: the function has parameters without names of their own, such as ``*values``.

    """

    def __init__(self, action: str, function: Callable[..., Any]) -> None:
        self.action = action
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = dict(inspect.signature(function).parameters)
        first = next(iter(parameters), "")
        self.settings: type[BaseModel] | None = None
        self.needs_asset = first == "asset"
        if self.needs_asset:
            del parameters["asset"]
            self.settings = _settings(action, hints.get("asset", Asset))
        extra: Literal["allow", "forbid"] = "forbid"
        if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            extra = "allow"
        for name, parameter in parameters.items():
            if parameter.kind not in _NAMED or name == "asset":
                message = (
                    f"Action {action!r} cannot take {str(parameter)!r}: parameters have names, "
                    "and `asset` is the first"
                )
                raise TypeError(message)
        fields: dict[str, Any] = {
            name: (
                hints.get(name, Any),
                ... if parameter.default is parameter.empty else parameter.default,
            )
            for name, parameter in parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }
        self.model: type[BaseModel] = create_model(
            f"{action} parameters",
            __config__=ConfigDict(extra=extra, arbitrary_types_allowed=True),
            **fields,
        )

    def bind(self, *values: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401 - anything may be given
        """The parameters by name, as the function would take them. Raises `WrongParameter`."""
        names = list(self.model.model_fields)
        if len(values) > len(names):
            raise WrongParameter(f"{self.action}: too many values; {self._takes()}")
        given = dict(zip(names, values, strict=False))
        twice = given.keys() & named.keys()
        if twice:
            raise WrongParameter(f'{self.action}: parameter "{min(twice)}" is given twice')
        return {**given, **named}

    def check(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values for the function, and what is recorded of them. Raises `WrongParameter`."""
        values = dict(given)
        beside = {}
        if CONTEXT in values and CONTEXT not in self.model.model_fields:
            beside = {CONTEXT: values.pop(CONTEXT)}
        try:
            checked = self.model.model_validate(values)
        except ValidationError as error:
            raise WrongParameter(self._sentence(error)) from None
        record: dict[str, Any] = plain(
            {**checked.model_dump(exclude_unset=True, by_alias=True), **beside}
        )
        fields = {name: getattr(checked, name) for name in self.model.model_fields}
        return {**fields, **(checked.model_extra or {})}, record

    def schema(self) -> dict[str, Any]:
        """JSON schema of the parameters."""
        return self.model.model_json_schema()

    def _sentence(self, error: ValidationError) -> str:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            return f'{self.action}: parameter "{name}" is missing'
        if first["type"] == "extra_forbidden":
            return f'{self.action} has no parameter "{name}"; {self._takes()}'
        value = repr(plain(first["input"]))
        if len(value) > LONGEST_VALUE:
            value = value[:LONGEST_VALUE] + "..."
        return f'{self.action}: parameter "{name}" is {value}: {first["msg"]}'

    def _takes(self) -> str:
        fields = self.model.model_fields.items()
        names = ", ".join(field.serialization_alias or name for name, field in fields)
        return f"it takes {names or 'none'}"


def _settings(action: str, annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """The model of an asset's settings in ``Asset[Settings]``; None for a bare ``Asset``."""
    if annotation is Asset:
        return None
    if typing.get_origin(annotation) is Asset:
        (chosen,) = typing.get_args(annotation)
        if isinstance(chosen, type) and issubclass(chosen, BaseModel):
            return chosen
        if typing.get_origin(chosen) is dict or chosen is Any:
            return None
    message = f"Action {action!r}: `asset` must be an Asset, or Asset[...] of a pydantic model"
    raise TypeError(message)
