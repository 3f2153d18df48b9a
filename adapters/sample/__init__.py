"""Sample data and a sample server: for trying the gateway out, never for work."""

from __future__ import annotations
