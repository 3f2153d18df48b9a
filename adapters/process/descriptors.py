"""How many files and connections a process may have open at once."""

from __future__ import annotations

import resource

MOST = 1024 * 1024
"""Where the system allows any number: more than anybody needs, and than each child should walk."""


def raise_limit() -> int:
    """Allow this process and its children as many as the system lets them; returns the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return most
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
