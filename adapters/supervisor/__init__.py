"""Starts, watches and stops the parts of an installation on one machine (``prefect-phantom up``).

::

    home          the folder: lock, secrets, logs
    installation  what was decided at this start: ports, addresses, secrets
    environment   what each part finds in its environment
    part          one process: started, found ready, restarted, stopped
    parts         which parts there are, and how each is run
    supervisor    their order
    leftover      what an `up` that was killed left running
"""

from __future__ import annotations
