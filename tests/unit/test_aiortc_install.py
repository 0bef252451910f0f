"""`rtcore.aiortc.install()`, each time in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rtcore.aiortc._private import ABSENT, INSIDE, Private


def run(program: str, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, *arguments, "-c", program] if program else [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_imports_become_ours() -> None:
    run(
        """
import sys
import rtcore.aiortc
rtcore.aiortc.install()
rtcore.aiortc.install()
import aiortc
import aiortc.contrib.signaling
from aiortc.rtp import RtpPacket
import rtcore.aiortc.rtp, rtcore.aiortc.contrib.signaling
assert aiortc is rtcore.aiortc and aiortc.rtp.RtpPacket is RtpPacket is rtcore.aiortc.rtp.RtpPacket
assert aiortc.contrib.signaling is sys.modules["rtcore.aiortc.contrib.signaling"]
assert aiortc.__spec__.name == "rtcore.aiortc" and aiortc.rtp.__spec__.name == "rtcore.aiortc.rtp"
assert sys.modules["aiortc.rtp"] is rtcore.aiortc.rtp
try:
    import aiortc.nothing
except ModuleNotFoundError as error:
    assert "aiortc.nothing" in str(error)
else:
    raise AssertionError
"""
    )


def test_taken_back() -> None:
    run(
        """
import rtcore.aiortc, sys
from importlib.metadata import version
before = version("aiortc")
rtcore.aiortc.install()
import aiortc.rtp as ours
assert version("aiortc") == before
from rtcore.aiortc.install import uninstall
uninstall()
uninstall()
import aiortc.rtp as theirs
assert ours.__name__ == "rtcore.aiortc.rtp" and theirs.__name__ == "aiortc.rtp"
"""
    )


def test_refuses_when_it_is_late() -> None:
    run(
        """
import aiortc.rtp as theirs
import rtcore.aiortc
try:
    rtcore.aiortc.install()
except RuntimeError as error:
    assert "before anything imports it" in str(error)
else:
    raise AssertionError
import aiortc
assert aiortc is not rtcore.aiortc
rtcore.aiortc.install(force=True)
import aiortc.rtp
assert aiortc is rtcore.aiortc and theirs is not aiortc.rtp
""",
        "-W",
        "ignore",
    )


def test_rtcore_does_not_load_it() -> None:
    run("import sys, rtcore; assert not {'rtcore.aiortc', 'pyee'} & {*sys.modules}")


def test_without_pyee() -> None:
    out = run("import sys; sys.modules['pyee'] = None; import rtcore.aiortc", code=1)
    assert "pip install rtcore[aiortc]" in out


def test_runs_a_program(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    (tmp_path / "beside.py").write_text("import aiortc\nNAME = aiortc.__name__\n")
    program.write_text("import sys, beside\nprint(__name__, beside.NAME, sys.argv[1:])\n")
    assert run("", "-m", "rtcore.aiortc", str(program), "-x", "y") == "__main__ rtcore.aiortc ['-x', 'y']\n"


def test_runs_a_module() -> None:
    out = run(
        "", "-m", "rtcore.aiortc", "-m", "timeit", "-n", "1", "-r", "1", "import aiortc; aiortc.install"
    )
    assert "per loop" in out


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["-m"], 2), (["--help"], 0)])
def test_usage(arguments: list[str], code: int) -> None:
    assert "usage:" in run("", "-m", "rtcore.aiortc", *arguments, code=code)


def test_absent_names_say_rtcores_way() -> None:
    from rtcore.aiortc import jitterbuffer
    from rtcore.aiortc.jitterbuffer import JitterBuffer

    assert jitterbuffer.JitterBuffer is JitterBuffer
    assert not isinstance(object(), JitterBuffer)
    way = r"rtcore\.native\.jitter: JitterBuffer"
    with pytest.raises(NotImplementedError, match=way):
        JitterBuffer(capacity=16)
    with pytest.raises(NotImplementedError, match=way):
        type("Own", (JitterBuffer,), {})
    with pytest.raises(AttributeError, match=way):
        print(JitterBuffer.add)
    with pytest.raises(AttributeError, match=way):
        print(jitterbuffer.MAX_MISORDER)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        print(jitterbuffer.nothing)


def test_every_absent_name_can_be_looked_up() -> None:
    from importlib import import_module

    for module, names in ABSENT.items():
        ours = import_module(f"rtcore.aiortc.{module}")
        for name, way in names.items():
            if "." in name or name in vars(ours):
                continue  # a member of a class; a value that differs
            if name.isupper():
                with pytest.raises(AttributeError, match="no counterpart"):
                    getattr(ours, name)
            else:
                with pytest.raises(NotImplementedError) as raised:
                    getattr(ours, name)()
                assert way.replace("`", "") in str(raised.value)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("_send_rtcp_pli", r"request_key_frame"),
        ("_RTCRtpReceiver__jitter_buffer", "jitter_buffer_target"),
        ("_RTCRtpReceiver__other", "has no attribute '_RTCRtpReceiver__other'$"),
        ("nothing", "has no attribute 'nothing'$"),
        ("track", "has no attribute 'track'$"),
    ],
)
def test_private_attributes_say_rtcores_way(name: str, way: str) -> None:
    class RTCRtpReceiver(Private):
        pass

    class Own(RTCRtpReceiver):
        pass

    for made in (RTCRtpReceiver(), Own()):
        with pytest.raises(AttributeError, match=way):
            getattr(made, name)


def test_private_attributes_cannot_be_set() -> None:
    class RTCRtpSender(Private):
        pass

    with pytest.raises(AttributeError, match=r"rtcore\.RtpSender\.request_key_frame"):
        RTCRtpSender()._RTCRtpSender__force_keyframe = True  # type: ignore[attr-defined]
    assert not hasattr(RTCRtpSender(), "_RTCRtpSender__force_keyframe")


def test_private_attributes_of_real_objects() -> None:
    import rtcore.aiortc

    for name, inside in INSIDE.items():
        cls = getattr(rtcore.aiortc, name)
        assert issubclass(cls, Private)
        assert inside
