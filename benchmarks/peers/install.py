"""Brings the peers to this machine: `python -m benchmarks.peers.install [--interop]`.

Everything goes into `benchmarks/peers/build/`, and only once: a stamp beside each part says from what it was
made. Without `--interop` the stacks of the benchmarks are installed; with it usrsctp and the programs on
aiortc too (about a minute, 1.7 GB), and GStreamer and the browsers are looked for. What the machine lacks is
named in one line each, and the exit status is 1.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
NODE_MODULES = BUILD / "node" / "node_modules"
PION = BUILD / "pion"
USRSCTP = BUILD / "usrsctp_peer"
PROGRAMS_VENV = BUILD / "programs-venv"
PROGRAMS_PYTHON = PROGRAMS_VENV / "bin" / "python"

SYSTEM_PYTHON = Path("/usr/bin/python3")
"""Whose packages have GStreamer's bindings."""

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FIREFOX = ("firefox-esr", "firefox")
DEBIAN_PION = Path("/usr/share/gocode/src/github.com/pion/webrtc")


def find(names: Sequence[str]) -> str | None:
    """The first of the programs that this machine has."""
    return next((path for name in names if (path := shutil.which(name))), None)


class Missing(Exception):
    """A part of the machine, and the command that brings it."""


def need(names: Sequence[str], package: str) -> str:
    path = find(names)
    if path is None:
        raise Missing(f"{names[0]} not found: apt install {package}")
    return path


def run(command: Sequence[str | Path], where: Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=where,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise Missing(f"{' '.join(map(str, command))} failed:\n{done.stdout[-3000:]}")


def made_from(sources: Sequence[Path], *more: str) -> str:
    digest = hashlib.sha256(repr(more).encode())
    for source in sources:
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def once(name: str, sources: Sequence[Path], make: Callable[[], None]) -> None:
    """Runs `make` unless the stamp says that it has been done from these sources."""
    stamp, key = BUILD / f"{name}.stamp", made_from(sources, sys.platform)
    if stamp.exists() and stamp.read_text() == key:
        return
    BUILD.mkdir(exist_ok=True)
    stamp.unlink(missing_ok=True)
    make()
    stamp.write_text(key)


def install_node() -> None:
    """libwebrtc and libdatachannel, prebuilt inside their packages."""
    sources = [HERE / "package.json", HERE / "package-lock.json"]

    def make() -> None:
        need(["node"], "nodejs")
        npm = need(["npm"], "npm")
        place = BUILD / "node"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for source in sources:
            shutil.copy(source, place)
        run([npm, "ci", "--no-audit", "--no-fund"], place)

    once("node", sources, make)


def go_version(go: str) -> tuple[int, int]:
    found = re.search(
        r"go(\d+)\.(\d+)", subprocess.run([go, "version"], capture_output=True, text=True).stdout
    )
    return (int(found[1]), int(found[2])) if found else (0, 0)


def install_pion() -> None:
    """The current Pion where Go is new enough for it, Debian's otherwise."""
    module = HERE / "pion"
    sources = [*sorted(module.glob("*.go")), module / "go.mod", module / "go.sum"]

    def make() -> None:
        go = need(["go"], "golang-go")
        required = re.search(r"^go (\d+)\.(\d+)", (module / "go.mod").read_text(), re.M)
        assert required is not None
        if go_version(go) >= (int(required[1]), int(required[2])):
            run([go, "build", "-o", PION, "."], module, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false")
            return
        if not DEBIAN_PION.exists():
            raise Missing(
                f"Pion needs Go {required[1]}.{required[2]}; or: apt install golang-github-pion-webrtc.v3-dev"
            )
        place = BUILD / "debian-pion"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for source in module.glob("*.go"):
            (place / source.name).write_text(
                source.read_text().replace('"github.com/pion/webrtc/v4', '"github.com/pion/webrtc')
            )
        run([go, "build", "-o", PION, "."], place, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="")

    once("pion", sources, make)


def install_usrsctp() -> None:
    source = HERE / "usrsctp_peer.c"

    def make() -> None:
        compiler = need([os.environ.get("CC", "cc")], "gcc")
        if not Path("/usr/include/usrsctp.h").exists():
            raise Missing("usrsctp not found: apt install libusrsctp-dev")
        run([compiler, "-O2", "-Wall", "-Wextra", "-o", USRSCTP, source, "-lusrsctp", "-lpthread"], HERE)

    once("usrsctp", [source], make)


GSTREAMER = """
import numpy, gi
gi.require_version("Gst", "1.0"), gi.require_version("GstSdp", "1.0"), gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC
Gst.init(None)
names = "webrtcbin nicesrc dtlssrtpenc sctpenc vp8enc rtpvp8pay opusenc audiotestsrc appsrc videoconvert"
raise SystemExit([name for name in names.split() if not Gst.ElementFactory.find(name)] or None)
"""


def find_gstreamer() -> None:
    found = subprocess.run([SYSTEM_PYTHON, "-c", GSTREAMER], capture_output=True, text=True)
    if found.returncode:
        packages = "gstreamer1.0-plugins-{base,good,bad} gstreamer1.0-nice gir1.2-gst-plugins-bad-1.0"
        raise Missing(f"GStreamer: {found.stderr.strip()}: apt install {packages} python3-gi python3-numpy")


def install_programs() -> None:
    """Packages from PyPI that are programs on aiortc, with all that they require, in an environment of
    their own; what they do not bring along, rtcore above all, is taken from this one."""
    packages = HERE / "programs.txt"

    def make() -> None:
        shutil.rmtree(PROGRAMS_VENV, ignore_errors=True)
        venv.create(PROGRAMS_VENV, with_pip=True)
        pip = [PROGRAMS_PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        run([*pip, "-r", packages], HERE)
        here, there = (
            sysconfig.get_path("purelib", vars={"base": str(base)}) for base in (sys.prefix, PROGRAMS_VENV)
        )
        (Path(there) / "rtcore-beside.pth").write_text(f"import site; site.addsitedir({here!r})\n")

    once("programs", [packages], make)


def find_chromium() -> None:
    need(CHROMIUM, "chromium")


def find_firefox() -> None:
    need(FIREFOX, "firefox-esr")


def main() -> int:
    parser = argparse.ArgumentParser(description="Installs the other WebRTC stacks.")
    parser.add_argument("--interop", action="store_true", help="usrsctp, GStreamer, programs, browsers too")
    parts = [install_node, install_pion]
    if parser.parse_args().interop:
        parts += [install_usrsctp, install_programs, find_gstreamer, find_chromium, find_firefox]
    status = 0
    for part in parts:
        try:
            part()
        except Missing as missing:
            print(missing, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
