"""Runs in Prefect: created, compared with their rows, ended."""
