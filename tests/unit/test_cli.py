"""The command line, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def rtcore(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "rtcore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, env=environment)


@pytest.mark.parametrize("mode", ["--no-threaded", "--threaded"])
def test_demo_moves_a_file_and_measures(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a file"
    path.write_bytes(os.urandom(3_000_001))
    done = rtcore("demo", str(path), mode)
    assert done.returncode == 0, done.stderr
    assert "a file, 3.0 MB, SHA-256 verified" in done.stdout
    rows = dict(line.strip("│ ").split("│") for line in done.stdout.splitlines() if line.startswith("│"))
    table = {name.strip(): value.strip() for name, value in rows.items()}
    assert float(table["set-up, offer to open channel"].removesuffix(" ms")) > 0
    assert float(table["throughput"].removesuffix(" Mbit/s").replace(",", "")) > 0
    assert float(table["100-byte messages"].removesuffix(" per second").replace(",", "")) > 0
    assert table["selected pair"].startswith("host 127.0.0.1:")
    assert "GCM" in table["DTLS"]


def test_demo_sends_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    done = rtcore("demo", str(path))
    assert done.returncode == 0, done.stderr
    assert "SHA-256 verified" in done.stdout


def test_demo_names_a_missing_file() -> None:
    done = rtcore("demo", "no-such-file")
    assert done.returncode == 2
    assert "does not exist" in done.stderr
