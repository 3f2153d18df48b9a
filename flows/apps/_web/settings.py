"""What the settings of all shipped apps have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class AppSettings(BaseModel):
    """Settings of an asset; one that the app does not know is refused, since it may be a typo."""

    model_config = ConfigDict(extra="forbid")
