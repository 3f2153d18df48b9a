"""Slots of assets: how many actions may be at work there at once."""
