"""The process of a run: how it starts, what watches it, and what ends it."""
