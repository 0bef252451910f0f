"""The README's program is what it says: a program that runs."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_program_runs() -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.M | re.S)
    on_loopback = program.replace("PeerConnection()", 'PeerConnection(interfaces=["127.0.0.1"])')
    assert on_loopback != program
    done = subprocess.run([sys.executable, "-c", on_loopback], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "HELLO\n"), done.stderr
