"""What strangers could guess, read or reach, and what is refused for it."""

from __future__ import annotations
