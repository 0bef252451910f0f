"""`rtcore.aiortc.contrib.signaling` with itself and with aiortc's, both ways."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import socket
from pathlib import Path
from typing import Any

import aiortc
import aiortc.contrib.signaling
import pytest

import rtcore.aiortc
import rtcore.aiortc.contrib.signaling

MODULES = {"aiortc": aiortc, "rtcore": rtcore.aiortc}
PAIRS = pytest.mark.parametrize(
    ("offering", "answering"), [("rtcore", "rtcore"), ("aiortc", "rtcore"), ("rtcore", "aiortc")]
)
CANDIDATE: dict[str, Any] = {
    "component": 1,
    "foundation": "1",
    "ip": "192.0.2.1",
    "port": 5000,
    "priority": 2130706431,
    "protocol": "udp",
    "type": "host",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def exchange(offering: str, answering: str, ends: list[Any]) -> None:
    """An offer, an answer, a candidate and a bye."""
    offer_side, answer_side = MODULES[offering], MODULES[answering]
    first, second = ends
    await first.connect()
    await second.connect()

    async def send() -> None:
        await first.send(offer_side.RTCSessionDescription(sdp="v=0\r\n", type="offer"))

    async def receive() -> Any:
        while True:
            try:
                return await second.receive()
            except (ConnectionRefusedError, FileNotFoundError):
                await asyncio.sleep(0.01)  # it does not listen yet

    _, got = await asyncio.gather(send(), receive())
    assert got == answer_side.RTCSessionDescription(sdp="v=0\r\n", type="offer")
    await second.send(answer_side.RTCSessionDescription(sdp="v=0\r\n", type="answer"))
    assert await first.receive() == offer_side.RTCSessionDescription(sdp="v=0\r\n", type="answer")
    await second.send(answer_side.RTCIceCandidate(**CANDIDATE))
    assert await first.receive() == offer_side.RTCIceCandidate(**CANDIDATE)
    await second.close()
    assert await first.receive() is offer_side.contrib.signaling.BYE
    assert await first.receive() is None
    await first.close()
    await first.close()
    await second.close()


@PAIRS
def test_tcp(offering: str, answering: str) -> None:
    port = free_port()
    ends = [
        MODULES[name].contrib.signaling.TcpSocketSignaling("127.0.0.1", port)
        for name in (offering, answering)
    ]
    asyncio.run(exchange(offering, answering, ends))


@PAIRS
def test_unix(offering: str, answering: str, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    ends = [MODULES[name].contrib.signaling.UnixSocketSignaling(path) for name in (offering, answering)]
    asyncio.run(exchange(offering, answering, ends))
    assert not Path(path).exists()


def test_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(exchange_by_hand())
    assert "Please enter a message" in capsys.readouterr().out


async def exchange_by_hand() -> None:
    signaling = rtcore.aiortc.contrib.signaling
    with pytest.raises(RuntimeError, match="connect"):
        await signaling.CopyAndPasteSignaling().receive()
    first, second = signaling.CopyAndPasteSignaling(), signaling.CopyAndPasteSignaling()
    read, write = os.pipe()
    with os.fdopen(write, "w") as first._write_pipe:
        second._read_pipe, second._write_pipe = os.fdopen(read), io.StringIO()
        await second.connect()
        offer = rtcore.aiortc.RTCSessionDescription(sdp="v=0\r\n", type="offer")
        await first.send(offer)
        assert await second.receive() == offer
        await first.send(signaling.BYE)
        assert await second.receive() is signaling.BYE
    assert await second.receive() is None
    for _ in range(2):
        await second.close()
    assert second._write_pipe.getvalue() == '{"type": "bye"}\n'


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ([], "CopyAndPasteSignaling"),
        (["-s", "copy-and-paste"], "CopyAndPasteSignaling"),
        (["--signaling", "tcp-socket", "--signaling-host", "::1"], "TcpSocketSignaling"),
        (["--signaling", "unix-socket", "--signaling-path", "/x"], "UnixSocketSignaling"),
    ],
)
def test_arguments(name: str, arguments: list[str], kind: str) -> None:
    signaling = MODULES[name].contrib.signaling
    parser = argparse.ArgumentParser()
    signaling.add_signaling_arguments(parser)
    made = signaling.create_signaling(parser.parse_args(arguments))
    assert type(made) is getattr(signaling, kind)
    expected = {"TcpSocketSignaling": ("::1", 1234), "UnixSocketSignaling": ("/x",)}.get(kind, ())
    held = vars(made)
    assert tuple(held[key] for key in ("_host", "_port", "_path") if key in held) == expected


def test_objects_as_aiortc_writes_them() -> None:
    ours, theirs = (m.contrib.signaling for m in (rtcore.aiortc, aiortc))
    for make in (
        lambda m: m.RTCSessionDescription(sdp="v=0\r\n", type="answer"),
        lambda m: m.RTCIceCandidate(**CANDIDATE),
        lambda m: m.contrib.signaling.BYE,
    ):
        text = theirs.object_to_string(make(aiortc))
        assert ours.object_to_string(make(rtcore.aiortc)) == text
        assert ours.object_from_string(text) == make(rtcore.aiortc)
    with pytest.raises(ValueError, match="expected a description"):
        ours.object_from_string('{"type": "candidate", "candidate": ""}')
    with pytest.raises(TypeError, match="str"):
        ours.object_to_string("bye")
