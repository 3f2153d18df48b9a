"""Playbooks."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from prefect_phantom.client.models.answer import Item


class Playbook(Item):
    """A playbook that the gateway knows. The fields that Splunk does not have are optional."""

    resource: ClassVar[str] = "playbook"
    name: str
    repository: str = ""
    description: str | None = ""
    active: bool = False
    disabled: bool = False
    labels: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    category: str | None = ""
    playbook_type: str | None = ""
    input_spec: list[Any] = Field(default_factory=list)
    output_spec: list[Any] = Field(default_factory=list)
    deployment_id: str | None = None
    """Its deployment in Prefect."""
    error: str = ""
    """Why it does not import; empty for one that does."""
    gone: bool = False
    """Whether its file is no longer in its repository."""

    @property
    def full_name(self) -> str:
        """Repository and name, as callers write them."""
        return f"{self.repository}/{self.name}" if self.repository else self.name
