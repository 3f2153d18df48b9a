"""The key that the runtime API of the contract tests is opened with."""

from __future__ import annotations

KEY = "a key that gateway and workers share"
