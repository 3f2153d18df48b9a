"""A process of the gateway's that does nothing but renew leases, so that nothing can hold it up.

Runs whose lease nobody renews are ended. The gateway's own loop serves everybody, strangers too,
and may be busy for longer than a lease; this process serves guardians alone, by a listener and
database connections of its own. Guardians learn its address from the answer to their first
renewal, which the runtime API gives, and go back to that whenever it does not answer.
"""

from __future__ import annotations
