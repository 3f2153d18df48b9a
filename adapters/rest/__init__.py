"""The REST contract over HTTP: per resource, what comes in and what goes out.

Contract facts in this room come from three sources, named where they are used: the *vendor's page*
("REST Run Playbook", Phantom 4.10.7), answers *recorded* from running servers, and *our decision*
where the public record is silent.
"""

from __future__ import annotations
