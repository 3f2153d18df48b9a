"""The query of a list, as callers write it."""
