"""Payload formats: round trips of any frame, and aiortc and FFmpeg on the other side."""

import fractions
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.codecs.vpx import Vp8Encoder, VpxPayloadDescriptor, vp8_depayload
from hypothesis import given
from hypothesis import strategies as st

from rtcore.native.frame import EncodedFrame
from rtcore.native.payload import (
    Depacketizer,
    Packetizer,
    RedBlock,
    TelephoneEvent,
    opus_duration,
    red_read,
    red_write,
    telephone_event_read,
    telephone_event_write,
)

AUDIO = ["opus", "PCMU", "PCMA", "G722", "L16", "CN", "telephone-event", "red"]
VIDEO = ["VP8", "VP9", "H264", "H265", "AV1"]


def leb128(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def annex_b(header: bytes, bodies: list[bytes]) -> bytes:
    """NAL units without start codes in them, and without zeros at their end."""
    return b"".join(b"\0\0\0\1" + header + body.replace(b"\0", b"\1") for body in bodies)


def temporal_unit(bodies: list[bytes]) -> bytes:
    return b"".join(b"\x22" + leb128(len(body)) + body for body in bodies)


@st.composite
def video_frames(draw: st.DrawFn, codec: str) -> bytes:
    """A frame: of some small parts and one that may be large."""
    parts = draw(st.lists(st.binary(max_size=300), max_size=8))
    parts.insert(
        draw(st.integers(0, len(parts))), draw(st.binary(min_size=1, max_size=40)) * draw(st.integers(1, 200))
    )
    if codec == "H264":
        return annex_b(b"\x41", parts)
    if codec == "H265":
        return annex_b(b"\x02\x01", parts)
    if codec == "AV1":
        return temporal_unit(parts)
    return b"\x85" + b"".join(parts)


# ---- round trips ----


@pytest.mark.parametrize("codec", VIDEO)
@given(data=st.data(), max_payload=st.integers(64, 1500))
def test_video_frames_come_back(codec: str, data: st.DataObject, max_payload: int) -> None:
    frame = data.draw(video_frames(codec))
    payloads = Packetizer(codec).packetize(frame, max_payload=max_payload)
    depacketizer = Depacketizer(codec)
    again = depacketizer.assemble(payloads, timestamp=1 << 40)
    assert bytes(again) == frame
    assert again.codec == codec
    assert again.timestamp == 1 << 40
    assert again.packets == len(payloads)
    assert all(0 < size <= max_payload for size in payloads.sizes)
    assert len(set(payloads.sizes[1:-1])) <= 1 or codec in ("H264", "H265", "AV1")
    for i, payload in enumerate(payloads):
        assert depacketizer.inspect(payload, i == len(payloads) - 1).ends_frame == (i == len(payloads) - 1)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722", "L16", "CN"])
@given(frame=st.binary(min_size=2, max_size=1200).filter(lambda frame: len(frame) % 2 == 0))
def test_audio_frames_come_back_as_one_payload(codec: str, frame: bytes) -> None:
    payloads = list(Packetizer(codec).packetize(frame))
    assert payloads == [frame]
    info = Depacketizer(codec).inspect(payloads[0])
    assert info.starts_frame
    assert info.ends_frame
    assert info.duration == {"L16": len(frame) // 2, "CN": 0}.get(codec, len(frame))
    assert bytes(Depacketizer(codec).assemble(payloads)) == frame


@pytest.mark.parametrize("codec", VIDEO)
def test_a_large_frame_is_cut_into_as_few_payloads_of_equal_size(codec: str) -> None:
    body = [b"\x77" * 29990]
    frame = {
        "H264": annex_b(b"\x41", body),
        "H265": annex_b(b"\x02\x01", body),
        "AV1": temporal_unit(body),
    }.get(codec, b"\x85" + body[0])
    payloads = Packetizer(codec).packetize(frame, max_payload=1200)
    assert len(payloads) == -(-29990 // 1194)
    *others, last = payloads.sizes
    assert len(set(others)) == 1
    assert last <= others[0]


def test_picture_ids_count() -> None:
    packetizer, depacketizer = Packetizer("VP8", seed=1), Depacketizer("VP8")
    infos = [depacketizer.inspect(packetizer.packetize(b"\1\2", temporal=i % 2)[0]) for i in range(40000)]
    ids = [info.picture_id for info in infos]
    assert ids[0] == Depacketizer("VP8").inspect(Packetizer("VP8", seed=1).packetize(b"\1\2")[0]).picture_id
    for before, after in itertools.pairwise(infos):
        assert before.picture_id is not None
        assert after.picture_id == (before.picture_id + 1) % 32768
        assert before.tl0 is not None
        assert after.tl0 == (before.tl0 + (after.temporal == 0)) % 256


def test_frames_say_by_themselves_what_they_are() -> None:
    frame = EncodedFrame(b"\1\2\3", codec="VP8", timestamp=0, temporal=2, discardable=True)
    payload = Packetizer("VP8").packetize(frame)[0]
    info = Depacketizer("VP8").inspect(payload)
    assert (info.temporal, info.discardable, info.key) == (2, True, False)
    again = Depacketizer("VP8").assemble([payload])
    assert (again.temporal, again.discardable) == (2, True)
    with pytest.raises(ValueError, match="VP9"):
        Packetizer("VP9").packetize(frame)


def test_any_buffer_is_taken() -> None:
    frame = b"\1" + bytes(range(256)) * 8
    packetizer, depacketizer = Packetizer("VP8", seed=1), Depacketizer("VP8")
    whole = packetizer.packetize(frame)
    assert memoryview(whole).tobytes() == b"".join(whole)
    assert [len(payload) for payload in whole] == whole.sizes
    assert whole[-1] == list(whole)[-1]
    with pytest.raises(IndexError):
        whole[len(whole)]
    kinds: list[Callable[[bytes], bytearray | memoryview | np.ndarray]] = [
        bytearray,
        memoryview,
        lambda data: np.frombuffer(data, np.uint8),
    ]
    for kind in kinds:
        payloads = packetizer.packetize(kind(frame))
        assert bytes(depacketizer.assemble([kind(payload) for payload in payloads])) == frame
        assert depacketizer.inspect(kind(payloads[0])).starts_frame
        assert bytes(depacketizer.assemble(kind(payload) for payload in payloads)) == frame


# ---- what is malformed, what cannot be sent ----


@pytest.mark.parametrize("codec", AUDIO + VIDEO)
@given(payloads=st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_are_a_frame_or_an_error(codec: str, payloads: list[bytes]) -> None:
    depacketizer = Depacketizer(codec)
    try:
        frame = depacketizer.assemble(payloads)
    except ValueError:
        return
    for payload in payloads:
        depacketizer.inspect(payload)
    assert len(frame) > 0


def test_what_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="opus"):
        Packetizer("opus").packetize(b"\xfc" * 1201)
    with pytest.raises(ValueError, match="H264"):
        Packetizer("H264").packetize(b"no start code")
    with pytest.raises(ValueError, match="H264"):
        Packetizer("H264", packetization_mode=0).packetize(b"\0\0\1\x65" + b"\1" * 1200)
    with pytest.raises(ValueError, match="AV1"):
        Packetizer("AV1").packetize(b"\x32\x05\x01")
    with pytest.raises(ValueError, match="VP8"):
        Packetizer("VP8").packetize(b"\1", max_payload=63)
    with pytest.raises(ValueError, match="codec"):
        Packetizer("H263")
    with pytest.raises(ValueError, match="packetization_mode"):
        Packetizer("H264", packetization_mode=2)
    with pytest.raises(ValueError, match="channels"):
        Depacketizer("L16", channels=0)
    with pytest.raises(ValueError, match="assembling VP8"):
        Depacketizer("VP8").assemble([])
    with pytest.raises(TypeError):
        Depacketizer("VP8").inspect("text")  # type: ignore[arg-type]


# ---- RED, telephone-event, Opus ----


@given(
    older=st.lists(
        st.builds(RedBlock, st.integers(0, 127), st.integers(0, 16383), st.binary(max_size=1023)), max_size=8
    ),
    primary=st.builds(RedBlock, st.integers(0, 127), st.just(0), st.binary(min_size=1, max_size=2000)),
)
def test_red_comes_back(older: list[RedBlock], primary: RedBlock) -> None:
    assert red_read(red_write([*older, primary])) == [*older, primary]


def test_red_of_rfc2198_section_4() -> None:
    payload = red_write([(7, 160, b"\1\2\3"), (5, 0, b"\4\5")])
    assert payload == bytes.fromhex("87028003 05 010203 0405")
    for size in range(9):
        with pytest.raises(ValueError, match="RED"):
            red_read(payload[:size])
    for bad in ([], [(5, 1, b"x")], [(128, 0, b"x")], [(5, 1, b"x" * 1024), (5, 0, b"x")]):
        with pytest.raises(ValueError, match="RED"):
            red_write(bad)
    with pytest.raises(ValueError, match="32"):
        red_write([(5, 1, b"x")] * 32 + [(5, 0, b"x")])


@given(
    st.builds(TelephoneEvent, st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 65535))
)
def test_telephone_event_comes_back(event: TelephoneEvent) -> None:
    payload = telephone_event_write(event)
    assert telephone_event_read(payload) == event
    assert Depacketizer("telephone-event").inspect(payload).duration == event.duration


def test_telephone_event_out_of_range() -> None:
    for bad in ((256, False, 0, 0), (0, False, 64, 0), (0, False, 0, 65536)):
        with pytest.raises(ValueError, match="range"):
            telephone_event_write(bad)
    with pytest.raises(ValueError, match="telephone-event"):
        telephone_event_read(b"\1\2\3")


@pytest.mark.parametrize("milliseconds", ["2.5", "5", "10", "20", "40", "60"])
@pytest.mark.parametrize("application", ["voip", "audio", "lowdelay"])
def test_opus_durations_are_those_of_libopus(milliseconds: str, application: str) -> None:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "stereo", "s16"
    encoder.options = {"frame_duration": milliseconds, "application": application}
    encoder.open()
    samples = int(float(milliseconds) * 48)
    noise = np.random.default_rng(1).integers(-9000, 9000, (1, 2 * samples), np.int16)
    packets = []
    for i in range(8):
        frame = av.AudioFrame.from_ndarray(noise, "s16", "stereo")
        frame.sample_rate, frame.pts = 48000, i * samples
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    assert len(packets) >= 7
    for packet in packets:
        assert opus_duration(packet) == samples
        assert list(Packetizer("opus").packetize(packet)) == [packet]
        assert Depacketizer("opus").assemble([packet]).duration == samples


# ---- aiortc on the other side ----


@given(frame=st.binary(min_size=1, max_size=60).map(lambda data: data * 100))
def test_vp8_with_aiortc(frame: bytes) -> None:
    ours = list(Packetizer("VP8").packetize(frame, max_payload=1200))
    assert b"".join(vp8_depayload(payload) for payload in ours) == frame
    for payload in ours:
        theirs, _ = VpxPayloadDescriptor.parse(payload)
        info = Depacketizer("VP8").inspect(payload)
        assert (theirs.picture_id, theirs.tl0picidx) == (info.picture_id, info.tl0)
        assert (theirs.partition_start, theirs.partition_id) == (int(info.starts_frame), 0)
    theirs = Vp8Encoder._packetize(frame, 4711)
    assert bytes(Depacketizer("VP8").assemble(theirs)) == frame
    infos = [Depacketizer("VP8").inspect(payload) for payload in theirs]
    assert [info.starts_frame for info in infos] == [True] + [False] * (len(theirs) - 1)
    assert {info.picture_id for info in infos} == {4711}


@given(
    bodies=st.lists(
        st.tuples(
            st.sampled_from([b"\x67", b"\x68", b"\x06", b"\x65", b"\x41", b"\x01"]), st.binary(min_size=1)
        ),
        min_size=1,
        max_size=12,
    ),
    large=st.integers(0, 5000),
)
def test_h264_with_aiortc(bodies: list[tuple[bytes, bytes]], large: int) -> None:
    frame = b"".join(annex_b(header, [body]) for header, body in bodies) + annex_b(
        b"\x41", [b"\x9a" * (large + 1)]
    )
    ours = list(Packetizer("H264").packetize(frame, max_payload=1200))
    assert b"".join(h264_depayload(payload) for payload in ours) == frame
    theirs = H264Encoder._packetize(H264Encoder._split_bitstream(frame))
    assert bytes(Depacketizer("H264").assemble(theirs)) == frame


# ---- FFmpeg on the other side ----


ENCODERS = {
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "error-resilient": "1"}),
    "VP9": (
        "libvpx-vp9",
        {"cpu-used": "8", "lag-in-frames": "8", "auto-alt-ref": "1"},
    ),
    "H264": ("libx264", {"preset": "ultrafast", "slices": "3", "x264-params": "aud=1:keyint=5"}),
    "H265": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=5:slices=2:pools=1"}),
    "AV1": ("libsvtav1", {"preset": "12", "svtav1-params": "tile-columns=1"}),
}
DECODERS = {"VP8": "libvpx", "VP9": "vp9", "H264": "h264", "H265": "hevc", "AV1": "libdav1d"}
WIDTH, HEIGHT = 322, 242


def pictures(count: int) -> Iterator[av.VideoFrame]:
    noise = np.random.default_rng(7).integers(0, 256, (HEIGHT, 2 * WIDTH, 3), np.uint8)
    for i in range(count):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(noise[:, 3 * i : 3 * i + WIDTH]), "rgb24")
        frame = frame.reformat(format="yuv420p")
        frame.pts = i
        yield frame


def encoder_of(name: str, options: dict[str, str]) -> av.VideoCodecContext:
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.bit_rate, encoder.gop_size = 4_000_000, 5
    encoder.time_base, encoder.framerate = fractions.Fraction(1, 30), fractions.Fraction(30)
    encoder.options, encoder.thread_count = options, 1
    return encoder


def encoded(codec: str) -> list[av.Packet]:
    encoder = encoder_of(*ENCODERS[codec])
    packets = [packet for frame in pictures(12) for packet in encoder.encode(frame)]
    return packets + encoder.encode(None)


def decoded(codec: str, frames: list[bytes]) -> list[np.ndarray]:
    decoder = av.CodecContext.create(DECODERS[codec], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    out = [picture for frame in frames for picture in decoder.decode(av.Packet(frame))]
    return [picture.to_ndarray() for picture in out + decoder.decode(None)]


@pytest.mark.parametrize("codec", VIDEO)
def test_real_encodings_decode_to_the_same_pictures(codec: str) -> None:
    packets = encoded(codec)
    packetizer, depacketizer = Packetizer(codec), Depacketizer(codec)
    frames = []
    for packet in packets:
        payloads = packetizer.packetize(bytes(packet), max_payload=1000)
        frame = depacketizer.assemble(payloads)
        assert frame.key == packet.is_keyframe == payloads.key
        infos = [depacketizer.inspect(payload) for payload in payloads]
        assert infos[0].starts_frame
        assert any(info.key for info in infos) == packet.is_keyframe
        if packet.is_keyframe:
            assert (frame.width, frame.height) == (WIDTH, HEIGHT)
            assert (WIDTH, HEIGHT) in [(info.width, info.height) for info in infos]
        frames.append(bytes(frame))
    assert sum(packet.is_keyframe for packet in packets) >= 1
    if codec in ("VP8", "VP9"):  # the others: start codes of three bytes, temporal delimiters
        assert frames == [bytes(packet) for packet in packets]
    reference = decoded(codec, [bytes(packet) for packet in packets])
    result = decoded(codec, frames)
    assert len(result) == len(reference) >= 12
    assert all(np.array_equal(one, other) for one, other in zip(result, reference, strict=True))


def plain(codec: str, frame: bytes) -> bytes:
    """Without what FFmpeg may write in another way: start codes, temporal delimiters."""
    return frame.replace(b"\0\0\0\1", b"\0\0\1") if codec != "AV1" else frame.removeprefix(b"\x12\0")


def rtp_of_ffmpeg(codec: str, max_packet: int) -> tuple[list[bytes], list[list[bytes]]]:
    """Frames as FFmpeg encoded them, and the payloads that its RTP muxer made of each."""
    name, options = ENCODERS[codec]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        receiver.settimeout(10)
        port = receiver.getsockname()[1]
        url = (
            f"rtp://127.0.0.1:{port}?rtcpport={port + 1 if port < 65535 else port - 1}&pkt_size={max_packet}"
        )
        frames, units = [], []
        with av.open(url, "w", format="rtp", options={"strict": "experimental"}) as output:
            stream = output.add_stream(name, rate=30, options=options)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 5
            stream.bit_rate, stream.codec_context.thread_count = 2_000_000, 1
            for picture in [*pictures(10), None]:
                for packet in stream.encode(picture):
                    frames.append(bytes(packet))
                    output.mux(packet)
                    units.append(receive_unit(receiver))
    return frames, units


def receive_unit(receiver: socket.socket) -> list[bytes]:
    payloads = []
    while True:
        packet = receiver.recv(65536)
        if 192 <= packet[1] <= 223:  # RTCP
            continue
        payloads.append(packet[12:])
        if packet[1] & 0x80:
            return payloads


@pytest.mark.parametrize("codec", VIDEO)
@pytest.mark.parametrize("max_packet", [300, 1200])
def test_payloads_of_ffmpeg_are_read(codec: str, max_packet: int) -> None:
    frames, units = rtp_of_ffmpeg(codec, max_packet)
    depacketizer = Depacketizer(codec)
    assert len(frames) == 10
    assert max(len(unit) for unit in units) > 5
    for frame, payloads in zip(frames, units, strict=True):
        again = bytes(depacketizer.assemble(payloads))
        assert plain(codec, again) == plain(codec, frame)
        assert depacketizer.inspect(payloads[0]).starts_frame


class Stream(threading.Thread):
    """Sends frames over RTP for as long as nobody stops it, round and round."""

    def __init__(self, codec: str, frames: list[bytes], port: int) -> None:
        super().__init__(daemon=True)
        self.codec, self.frames, self.port = codec, frames, port
        self.stopped = threading.Event()

    def run(self) -> None:
        packetizer, sequence = Packetizer(self.codec), itertools.count()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for i, frame in enumerate(itertools.cycle(self.frames)):
                payloads = packetizer.packetize(frame, max_payload=1000)
                for left, payload in zip(reversed(range(len(payloads))), payloads, strict=True):
                    header = struct.pack(
                        "!BBHII", 0x80, 96 | (left == 0) << 7, next(sequence) & 0xFFFF, 3000 * i, 1
                    )
                    sender.sendto(header + payload, ("127.0.0.1", self.port))
                if self.stopped.wait(0.005):
                    return


@pytest.mark.parametrize("codec", VIDEO)
def test_ffmpeg_reads_our_payloads(codec: str, tmp_path: Path) -> None:
    frames = [bytes(packet) for packet in encoded(codec)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    description = tmp_path / "stream.sdp"
    description.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\na=rtpmap:96 {codec}/90000\n"
    )
    wanted, read = [plain(codec, frame) for frame in frames], []
    options = {"protocol_whitelist": "file,udp,rtp", "reorder_queue_size": "0"}
    sender = Stream(codec, frames, port)
    sender.start()
    try:
        with av.open(str(description), format="sdp", options=options, timeout=20) as source:
            for packet in source.demux():  # until one round came whole: a busy machine drops datagrams
                read.append(plain(codec, bytes(packet)))
                if read[-len(wanted) :] == wanted:
                    break
                assert len(read) < 20 * len(wanted)
    finally:
        sender.stopped.set()
        sender.join()
    assert read[-len(wanted) :] == wanted


@pytest.mark.parametrize(
    ("codec", "pixels", "options"),
    [
        ("H264", "yuv420p", {"preset": "medium"}),
        ("H264", "yuv422p", {"preset": "medium", "x264-params": "tff=1"}),
        ("H264", "yuv444p", {"preset": "medium", "x264-params": "cqm=jvt"}),
        ("H264", "gray", {"preset": "ultrafast"}),
        ("H265", "yuv422p", {"preset": "ultrafast", "x265-params": "log-level=none:temporal-layers=3"}),
        ("H265", "yuv444p", {"preset": "ultrafast", "x265-params": "log-level=none"}),
        ("H265", "gray", {"preset": "ultrafast", "x265-params": "log-level=none"}),
        ("VP9", "yuv444p", {"cpu-used": "8"}),
        ("VP9", "gbrp", {"cpu-used": "8"}),
        ("AV1", "yuv420p10le", {"preset": "12"}),
    ],
)
def test_size_of_key_frames_of_other_profiles(codec: str, pixels: str, options: dict[str, str]) -> None:
    encoder = encoder_of(ENCODERS[codec][0], options)
    encoder.pix_fmt = pixels
    packets = encoder.encode(next(pictures(1)).reformat(format=pixels)) + encoder.encode(None)
    frame = Depacketizer(codec).assemble(Packetizer(codec).packetize(bytes(packets[0])))
    assert (frame.key, frame.width, frame.height) == (True, WIDTH, HEIGHT)
