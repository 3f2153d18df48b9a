"""Secrets of assets and of Prefect, and their stars in everything that is shown."""
