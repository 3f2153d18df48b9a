"""Actions that ship, one module for each app."""

from __future__ import annotations
