"""The command line, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from rtcore.cli import demo_media


def rtcore(*arguments: str, seconds: float = 2) -> subprocess.CompletedProcess[str]:
    """Runs it; media are played for `seconds`."""
    if arguments[0] == "demo":
        arguments = (*arguments, "--seconds", str(seconds))
    environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "rtcore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, env=environment)


def rows(output: str) -> dict[str, str]:
    """The demo's table."""
    cells = (line.strip("│ ").split("│") for line in output.splitlines() if line.startswith("│"))
    return {name.strip(): value.strip() for name, value in cells}


@pytest.mark.parametrize("mode", ["--no-threaded", "--threaded"])
def test_demo_moves_a_file_and_measures(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a file"
    path.write_bytes(os.urandom(3_000_001))
    done = rtcore("demo", str(path), mode, "--output", str(tmp_path / "output"))
    assert done.returncode == 0, done.stderr
    assert "a file, 3.0 MB, SHA-256 verified" in done.stdout
    table = rows(done.stdout)
    assert float(table["set-up, offer to open channel"].removesuffix(" ms")) > 0
    assert float(table["throughput"].removesuffix(" Mbit/s").replace(",", "")) > 0
    assert float(table["100-byte messages"].removesuffix(" per second").replace(",", "")) > 0
    assert table["selected pair"].startswith("host 127.0.0.1:")
    assert "GCM" in table["DTLS"]


def test_demo_sends_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    done = rtcore("demo", str(path), "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "SHA-256 verified" in done.stdout


def test_demo_plays_a_media_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    demo_media._make(path, 3)
    done = rtcore("demo", str(path), "--output", str(tmp_path / "output"), seconds=3)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clip.mkv: arrived whole" in done.stdout
    table = rows(done.stdout)
    arrived, _, sent, *_ = table["pictures"].split()
    assert int(sent) == 90
    assert int(arrived) >= 80
    assert abs(float(table["sound"].split()[0]) + 15.3) < 1.5
    assert {"bitrate received", "jitter", "audio, capture to decoder"} <= table.keys()
    recorded = demo_media.compare(demo_media.Clip(path, "clip", 3), tmp_path / "output/rtcore-demo.mkv")
    assert recorded.good
    assert min(recorded.psnr) > 20


def test_demo_sees_what_did_not_arrive(tmp_path: Path) -> None:
    """The comparison is no formality: another clip, a silent one and a short one do not pass."""
    sent, short = tmp_path / "sent.mkv", tmp_path / "short.mkv"
    demo_media._make(sent, 2)
    demo_media._make(short, 1)
    clip = demo_media.Clip(sent, "sent", 2)
    assert demo_media.compare(clip, sent).good
    assert not demo_media.compare(clip, short).good
    other = tmp_path / "other.mkv"
    with av.open(str(other), "w") as file:
        stream = file.add_stream("libx264", 30)
        stream.width, stream.height, stream.pix_fmt = demo_media.WIDTH, demo_media.HEIGHT, "yuv420p"
        for number in range(60):
            noise = np.random.default_rng(number).integers(0, 255, (demo_media.HEIGHT, demo_media.WIDTH, 3))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(noise.astype(np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    assert not demo_media.compare(clip, other).good


def test_demo_names_a_missing_file() -> None:
    done = rtcore("demo", "no-such-file")
    assert done.returncode == 2
    assert "does not exist" in done.stderr
