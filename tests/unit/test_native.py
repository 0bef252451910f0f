"""Runs the C test programs of tests/unit/native and tests/sim (built by `make native` or `make sanitize`)."""

import os
import subprocess
from pathlib import Path

import pytest

BUILD = os.environ.get("RTCORE_BUILD")
if BUILD is None:
    pytest.skip(
        "RTCORE_BUILD is not set: C programs run with `make test` and `make sanitize`",
        allow_module_level=True,
    )
PROGRAMS = sorted(p for p in (Path(BUILD) / "tests").glob("test_*") if os.access(p, os.X_OK))


def test_programs_were_built() -> None:
    assert PROGRAMS


@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_program(program: Path) -> None:
    done = subprocess.run([program.resolve()], capture_output=True, text=True, timeout=590)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    assert done.stdout.rstrip().endswith("passed"), done.stdout[-2000:]
