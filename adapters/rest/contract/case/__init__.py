"""Containers, artifacts, what is written on them, and custom lists."""
