"""The contract, asked of any server that speaks it.

Each test is a recipe of `docs/contract.md` with curl, as callers in the wild send it. What stands
there with the mark O alone is marked `ours` here, and is skipped against a server that is not.
"""
