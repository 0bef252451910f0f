"""rtcore.native.jitter: frames from packets in any order, and what is refused."""

import struct
import threading

import pytest
from aiortc.codecs import depayload
from aiortc.jitterbuffer import JitterBuffer as AiortcBuffer
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from rtcore.native.jitter import JitterBuffer

KEY, DELTA = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01", b"\x11\x00\x00"


def rtp(sequence: int, timestamp: int, payload: bytes, marker: bool = False) -> bytes:
    return (
        struct.pack("!BBHLL", 0x80, marker << 7 | 96, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 1) + payload
    )


def vp8(frame: int, count: int = 3, key: bool = False, origin: int = 65000) -> list[bytes]:
    """The packets of one frame; its data ends with its number."""
    out = []
    for i in range(count):
        descriptor = struct.pack("!BBH", 0x90 if i == 0 else 0x80, 0x80, 0x8000 | frame)
        data = (KEY if key else DELTA) if i == 0 else b"."
        data += struct.pack("!L", frame) if i == count - 1 else b""
        out.append(rtp(origin + frame * count + i, frame * 3000, descriptor + data, i == count - 1))
    return out


def opus(frame: int) -> bytes:
    return rtp(frame, frame * 960, b"\x08" + struct.pack("!L", frame))


def number(data: memoryview) -> int:
    return int(struct.unpack("!L", bytes(data[-4:]))[0])


def test_frames_in_order() -> None:
    buffer = JitterBuffer("vp8")
    assert buffer.codec == "VP8"
    assert buffer.deadline is None
    for frame in range(50):
        now = 100 + frame / 30
        assert buffer.add_batch(vp8(frame, key=frame == 0), now) == 3
        (out,) = buffer.pop(now + 0.005)
        assert number(out.data) == frame
        assert (out.key, out.codec, out.timestamp, out.packets) == (frame == 0, "VP8", frame * 3000, 3)
        assert out.arrived == pytest.approx(now)
    statistics = buffer.statistics()
    assert statistics["framesReceived"] == 50
    assert statistics["packetsReceived"] == 150
    assert statistics["packetsLost"] == 0


def test_key_frame_ends_the_wait() -> None:
    buffer = JitterBuffer("VP8", patience=0.05)
    buffer.add_batch(vp8(0, key=True), 1.0)
    assert len(buffer.pop(1.0)) == 1
    packets = vp8(1)
    buffer.add_batch([packets[0], packets[2]], 1.03)
    assert buffer.pop(1.03) == []
    assert buffer.deadline == pytest.approx(1.08)
    assert not buffer.key_frame_needed
    assert buffer.pop(1.09) == []
    assert buffer.key_frame_needed
    buffer.add_batch(vp8(2), 1.1)
    buffer.add_batch(vp8(3, key=True), 1.13)
    (out,) = buffer.pop(1.2)
    assert (number(out.data), out.key, out.discontinuity) == (3, True, True)
    assert not buffer.key_frame_needed
    assert not buffer.add(packets[1], 1.2)
    assert buffer.statistics()["packetsDiscarded"] == 1


def test_audio_time_line() -> None:
    buffer = JitterBuffer("opus", min_delay=0.04)
    played = []
    for frame in range(20):
        now = 5 + frame / 50
        if frame != 9:
            assert buffer.add(opus(frame), now)
        played += buffer.pop(now)
    assert [out.timestamp for out in played] == [960 * i for i in range(len(played))]
    assert [out.lost for out in played] == [i == 9 for i in range(len(played))]
    assert all(out.duration == 960 for out in played)
    assert buffer.statistics()["concealedSamples"] == 960


def test_silence_is_no_loss() -> None:
    buffer = JitterBuffer("opus")
    frames = []
    for i, timestamp in enumerate([0, 960, 1920, 48000, 48960]):
        now = 1 + timestamp / 48000
        frames += buffer.pop(now)
        buffer.add(rtp(i, timestamp, b"\x08" if i == 2 else b"\x08abcd"), now)
        frames += buffer.pop(now)
    assert [frame.timestamp for frame in frames if not frame.lost] == [0, 960, 1920, 48000, 48960]
    assert buffer.statistics()["concealedSamples"] == 0


def test_passthrough_does_not_wait() -> None:
    buffer = JitterBuffer("opus", passthrough=True, min_delay=1.0, max_delay=1.0)
    assert buffer.add(opus(0), 0.0)
    assert len(buffer.pop(0.0)) == 1


def test_batch_is_the_same_as_one_by_one() -> None:
    packets = [packet for frame in range(40) for packet in vp8(frame, key=frame == 0)]
    packets[10], packets[11] = packets[11], packets[10]
    one, many = JitterBuffer("VP8"), JitterBuffer("VP8")
    kept = [one.add(packet, 1.0) for packet in packets]
    assert many.add_batch(map(bytearray, packets), 1.0) == sum(kept) == len(packets)
    first, second = one.pop(9.0), many.pop(9.0)
    assert [bytes(frame) for frame in first] == [bytes(frame) for frame in second]
    assert len(first) == 40
    assert many.add_batch([], 1.0) == 0


@settings(deadline=None, max_examples=60)
@given(order=st.permutations(range(24)), extra=st.lists(st.integers(0, 23), max_size=8))
def test_any_order(order: list[int], extra: list[int]) -> None:
    """Whatever the order, and with duplicates: each frame once and whole, as soon as all has come."""
    packets = [packet for frame in range(8) for packet in vp8(frame, key=frame == 0)]
    buffer = JitterBuffer("VP8", patience=1.0)
    for i in [*order, *extra]:
        buffer.add(packets[i], 1.0)
    assert [number(frame.data) for frame in buffer.pop(9.0)] == list(range(8))
    assert buffer.statistics()["packetsDuplicate"] == len(extra)


@settings(deadline=None, max_examples=40)
@given(lost=st.sets(st.integers(3, 59), max_size=6))
def test_never_less_than_aiortc(lost: set[int]) -> None:
    """All key frames: what aiortc's buffer puts together comes out here, too, and in the same bytes."""
    packets = [packet for frame in range(21) for packet in vp8(frame, key=True)]
    codec = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=96)
    theirs, ours = AiortcBuffer(capacity=128, is_video=True), JitterBuffer("VP8", patience=0.0)
    expected = set()
    for i, data in enumerate(packets):
        if i in lost:
            continue
        parsed = RtpPacket.parse(data)
        parsed._data = depayload(codec, parsed.payload)  # type: ignore[attr-defined]
        _, frame = theirs.add(parsed)
        if frame is not None:
            expected.add(frame.data)
        ours.add(data, 1.0)
    got = {bytes(frame) for frame in ours.pop(9.0)}
    assert expected <= got
    assert len(got) == 21 - len({i // 3 for i in lost})


@settings(deadline=None, max_examples=200)
@given(
    data=st.lists(st.binary(max_size=64), max_size=20),
    codec=st.sampled_from(["VP8", "VP9", "H264", "H265", "AV1", "opus"]),
)
def test_any_bytes(data: list[bytes], codec: str) -> None:
    buffer = JitterBuffer(codec)
    for i, packet in enumerate(data):
        buffer.add(packet, i / 50)
        buffer.add(rtp(i, 3000 * i, packet, True), i / 50)
        buffer.pop(i / 50)
    buffer.pop(100.0)
    assert buffer.statistics()["packetsQueued"] <= 2048


def test_bounded() -> None:
    buffer = JitterBuffer("VP8", max_packets=64)
    for frame in range(1, 1000):
        buffer.add_batch(vp8(frame), 1.0)
        assert buffer.statistics()["packetsQueued"] <= 64


def test_without_the_gil() -> None:
    """Two buffers in two threads give what they give alone."""
    packets = [packet for frame in range(500) for packet in vp8(frame, key=frame == 0)]
    counts = []

    def work() -> None:
        buffer = JitterBuffer("VP8", passthrough=True)
        counts.append(
            sum(
                len(buffer.pop(1.0))
                for at in range(0, 1500, 50)
                if buffer.add_batch(packets[at : at + 50], 1.0)
            )
        )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [500, 500]


def test_refuses() -> None:
    for codec in ["red", "nonsense"]:
        with pytest.raises(ValueError, match=r"codec|red"):
            JitterBuffer(codec)
    with pytest.raises(ValueError, match="clock_rate"):
        JitterBuffer("L16")
    with pytest.raises(ValueError, match="min_delay"):
        JitterBuffer("VP8", min_delay=2.0, max_delay=1.0)
    with pytest.raises(ValueError, match="max_packets"):
        JitterBuffer("VP8", max_packets=1 << 20)
    with pytest.raises(ValueError, match="channels"):
        JitterBuffer("opus", channels=0)
    buffer = JitterBuffer("VP8")
    with pytest.raises(ValueError, match="now"):
        buffer.add(b"", float("nan"))
    with pytest.raises(TypeError):
        buffer.add("text", 1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        buffer.add_batch([b"", 7], 1.0)  # type: ignore[list-item]
    assert not buffer.add(b"no packet", 1.0)
    assert buffer.statistics()["packetsMalformed"] == 1
    with pytest.raises(RuntimeError):
        JitterBuffer.__new__(JitterBuffer).pop(1.0)
