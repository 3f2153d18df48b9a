"""A container to try a playbook on, in the form in which ``POST /rest/container`` takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from prefect_phantom.flows.container import Artifact, Container


class SampleArtifact(BaseModel):
    """An artifact of it; only `cef` matters to most playbooks."""

    name: str = "artifact"
    label: str = "event"
    severity: str = "medium"
    type: str | None = None
    description: str | None = None
    source_data_identifier: str | None = None
    cef: dict[str, Any] = {}
    cef_types: dict[str, Any] = {}
    tags: list[str] = []
    data: Any = {}


class Sample(Container):
    """A container with its artifacts. Ids are given here: 1 for it, and from 1 for them."""

    id: int = 1
    name: str = "Sample"
    label: str = "events"
    status: str = "new"
    severity: str = "medium"
    sensitivity: str = "amber"
    source_data_identifier: str = "sample"
    artifacts: list[SampleArtifact] = Field(default=[])

    @classmethod
    def read(cls, file: Path) -> Sample:
        """The sample in a file of JSON.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not a container; the sentence names the file and the place.

        """
        try:
            return cls.model_validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "it"
            raise ValueError(f"{file}: {place}: {first['msg']}") from None

    def container(self) -> Container:
        """The container as a playbook sees it."""
        return Container(**self.model_dump(exclude={"artifacts"}) | {"id": 1})

    def numbered(self) -> list[Artifact]:
        """Its artifacts as a playbook sees them."""
        return [
            Artifact(
                id=number,
                **{
                    **artifact.model_dump(),
                    "source_data_identifier": artifact.source_data_identifier or f"sample {number}",
                },
            )
            for number, artifact in enumerate(self.artifacts, 1)
        ]
