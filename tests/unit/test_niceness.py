"""What gives way to others does its work all the same where the system does not let it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SET_PRIORITY = {"x86_64": 141, "aarch64": 140}
DENIED = """
import ctypes, os, struct

def deny(number):
    '''What systemd's SystemCallFilter does: the call fails with EPERM, for children too.'''
    load, equal, give = 0x20, 0x15, 0x06  # BPF
    refuse, allow = (give, 0, 0, 0x50001), (give, 0, 0, 0x7FFF0000)
    rules = [(load, 0, 0, 0), (equal, 0, 1, number), refuse, allow]
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    where = ctypes.addressof(text)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), where))
    library = ctypes.CDLL(None, use_errno=True)
    assert library.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert library.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP

deny({number})
try:
    os.nice(1)
except PermissionError:
    pass
else:
    raise SystemExit("it was not denied")
"""
PARSES = """
import asyncio
from prefect_phantom.adapters.rest.request import body
from prefect_phantom.adapters.rest.request.json_process import JsonProcess

print(asyncio.run(JsonProcess().call(body.parse_object, b'{"parsed": true}', 2)))
"""
COMPUTES = """
import asyncio
from prefect_phantom.adapters.store.accounts.passwords import Passwords, hash_password

stored = hash_password("right")
print(asyncio.run(Passwords().verify("admin", "right", stored)))
"""


@pytest.mark.skipif(platform.machine() not in SET_PRIORITY, reason="its number is not known here")
@pytest.mark.parametrize(
    ("work", "answer"), [(PARSES, "{'parsed': True}"), (COMPUTES, "True")], ids=["JSON", "password"]
)
def test_what_a_service_may_not_do_keeps_it_from_no_work(work, answer):
    script = DENIED.replace("{number}", str(SET_PRIORITY[platform.machine()])) + work
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, answer + "\n"), done.stderr
