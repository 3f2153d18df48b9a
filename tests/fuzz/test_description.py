"""schemathesis makes up requests from the published description, and follows its links."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.system import System

LONG = "FUZZ_REQUESTS" in os.environ
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
)
"""Left out: what judges by a rule that is not the contract's.

A body with surplus fields is accepted, one that fits its schema may still be refused for what is
stored, and wrong credentials are answered by 429 after a while.
"""
PHASES = ("examples", "coverage", "fuzzing", "stateful") if LONG else ("fuzzing", "stateful")
EXAMPLES = 100 if LONG else 1
ROLE = "Automation" if LONG else "Automation Engineer"


@pytest.mark.long
@pytest.mark.timeout(0 if LONG else 180)
def test_every_described_call_answers_as_it_is_described(system: System, tmp_path: Path) -> None:
    # Whatever comes to schemathesis' mind, nobody is locked out, and others' containers stay.
    user = {"username": f"described {uuid4().hex}", "type": "automation", "roles": [ROLE]}
    token = system.post("/rest/ph_user", user)["token"]
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [program, "run", f"{system.url}/openapi.json", "--header", f"ph-auth-token: {token}",
         "--tls-verify", "false", "--checks", ",".join(CHECKS), "--phases", ",".join(PHASES),
         "--max-examples", str(EXAMPLES), "--workers", "1" if LONG else "2", "--seed", "20261124",
         "--continue-on-failure", "--warnings", "off"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(done.stdout[-2000:])
    assert done.returncode == 0, done.stdout + done.stderr
