"""Codecs of rtcore.aiortc beside aiortc's: what the one encodes, the other decodes."""

from __future__ import annotations

import importlib
import itertools
from fractions import Fraction
from types import ModuleType, SimpleNamespace
from typing import Any

import aiortc.codecs
import av
import numpy as np
import pytest
from aiortc.mediastreams import convert_timebase as their_convert
from hypothesis import given
from hypothesis import strategies as st

import rtcore.aiortc.codecs
from rtcore.aiortc import _parameters
from rtcore.aiortc.codecs import _core, _live
from rtcore.aiortc.mediastreams import convert_timebase
from rtcore.aiortc.rtcrtpparameters import RTCRtpCodecParameters
from rtcore.media import EncodedFrame
from rtcore.media.synthetic import frequency_of, picture, read_counter
from rtcore.sdp import RtpCodec, default_codecs
from rtcore.sdp.codecs import matches

OURS, THEIRS = rtcore.aiortc.codecs, aiortc.codecs
BOTH = pytest.mark.parametrize("module", [THEIRS, OURS], ids=["aiortc", "rtcore"])
PAIRS = pytest.mark.parametrize(
    ("encodes", "decodes"),
    [(OURS, OURS), (OURS, THEIRS), (THEIRS, OURS)],
    ids=["rtcore-rtcore", "rtcore-aiortc", "aiortc-rtcore"],
)
VIDEO = pytest.mark.parametrize("name", ["VP8", "H264"])
SOUND = {"opus": (48000, 2), "G722": (16000, 1), "PCMU": (8000, 1), "PCMA": (8000, 1)}


def parameters(module: ModuleType, name: str) -> Any:
    return next(one for kind in module.CODECS.values() for one in kind if one.name == name)


def jitter_frame(module: ModuleType, codec: Any, payloads: list[bytes], timestamp: int) -> Any:
    data = b"".join(module.depayload(codec, payload) for payload in payloads)
    owner = importlib.import_module(module.__name__.replace("codecs", "jitterbuffer"))
    return owner.JitterFrame(data=data, timestamp=timestamp)


def numbered(number: int, size: tuple[int, int] = (320, 240)) -> av.VideoFrame:
    frame = picture(*size, number)
    frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
    return frame


def tone(number: int, rate: int = 8000, layout: str = "mono", samples: int = 0) -> av.AudioFrame:
    samples = samples or rate // 50
    channels = 1 if layout == "mono" else 2
    wave = np.sin(2 * np.pi * 500 * (number * samples + np.arange(samples)) / rate) * 10000
    data = np.repeat(wave.astype(np.int16), channels)[None, :]
    frame = av.AudioFrame.from_ndarray(data, format="s16", layout=layout)
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), number * samples
    return frame


@VIDEO
@PAIRS
def test_pictures(encodes: ModuleType, decodes: ModuleType, name: str) -> None:
    encoder = encodes.get_encoder(parameters(encodes, name))
    decoder = decodes.get_decoder(parameters(decodes, name))
    for number in range(8):
        payloads, timestamp = encoder.encode(numbered(number), force_keyframe=number == 4)
        assert number * 3000 - 1 <= timestamp <= number * 3000  # aiortc rounds in another time base
        assert all(0 < len(payload) <= 1300 for payload in payloads)
        [got] = decoder.decode(jitter_frame(decodes, parameters(decodes, name), payloads, timestamp))
        assert (got.pts, got.time_base) == (timestamp, Fraction(1, 90000))
        assert (got.width, got.height, got.format.name) == (320, 240, "yuv420p")
        assert read_counter(got) == number


@pytest.mark.parametrize("name", list(SOUND))
@PAIRS
def test_sound(encodes: ModuleType, decodes: ModuleType, name: str) -> None:
    rate, channels = SOUND[name]
    codec = parameters(decodes, name)
    encoder, decoder = encodes.get_encoder(parameters(encodes, name)), decodes.get_decoder(codec)
    heard, times = [], []
    for number in range(100, 140):
        payloads, timestamp = encoder.encode(tone(number, 48000, "stereo"))
        if not payloads:
            assert timestamp is None
            continue
        times.append(timestamp)
        for payload in payloads:
            for frame in decoder.decode(jitter_frame(decodes, codec, [payload], timestamp)):
                assert (frame.sample_rate, frame.format.name) == (rate, "s16")
                assert frame.layout.name == ("stereo" if channels == 2 else "mono")
                heard.append(frame)
    steps = {later - sooner for sooner, later in itertools.pairwise(times)}
    assert steps == {codec.clockRate // 50}
    assert times[0] == (0 if name in ("opus", "G722") else 100 * codec.clockRate // 50)
    samples = np.concatenate([one.to_ndarray().reshape(-1, channels) for one in heard])[rate // 5 :]
    assert frequency_of(samples, rate) == pytest.approx(500, rel=0.03)


@BOTH
@pytest.mark.parametrize("name", [*SOUND, "VP8"])
def test_packets_keep_their_time(module: ModuleType, name: str) -> None:
    packet: av.Packet[Any] = av.Packet(b"\x10\x00\x00\x9d\x01\x2a" + bytes(154))
    packet.pts, packet.time_base = 1, Fraction(1, 50)
    codec = parameters(module, name)
    payloads, timestamp = module.get_encoder(codec).pack(packet)
    assert timestamp == codec.clockRate // 50
    assert b"".join(module.depayload(codec, payload) for payload in payloads) == bytes(packet)


@given(st.binary(max_size=40), st.sampled_from(["VP8", "H264"]))
def test_payloads_are_read_as_aiortc_reads_them(payload: bytes, name: str) -> None:
    read = []
    for module in (THEIRS, OURS):
        try:
            read.append(module.depayload(parameters(module, name), payload))
        except ValueError:
            read.append(None)
    assert read[0] == read[1]


@given(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 15),
        st.none() | st.integers(0, 0x7FFF),
        st.none() | st.integers(0, 255),
        st.none() | st.tuples(st.integers(0, 3), st.integers(0, 1)),
        st.none() | st.integers(0, 31),
    )
)
def test_descriptors_go_there_and_back(fields: tuple[Any, ...]) -> None:
    ours, theirs = OURS.vpx.VpxPayloadDescriptor(*fields), THEIRS.vpx.VpxPayloadDescriptor(*fields)
    assert bytes(ours) == bytes(theirs)
    parsed, rest = OURS.vpx.VpxPayloadDescriptor.parse(bytes(ours) + b"rest")
    assert (vars(parsed), rest) == (vars(THEIRS.vpx.VpxPayloadDescriptor.parse(bytes(ours))[0]), b"rest")


@BOTH
def test_h264_packets_are_cut(module: ModuleType) -> None:
    units = [bytes([0x67, 0x42, 0, 31]), bytes([0x68, 1, 2, 3]), bytes([0x65]) + bytes(range(1, 256)) * 12]
    packet: av.Packet[Any] = av.Packet(b"".join(b"\0\0\0\1" + unit for unit in units))
    packet.pts, packet.time_base = 3000, Fraction(1, 90000)
    payloads, timestamp = module.get_encoder(parameters(module, "H264")).pack(packet)
    assert timestamp == 3000
    assert len(payloads) >= 4
    assert b"".join(module.depayload(parameters(module, "H264"), one) for one in payloads) == bytes(packet)


@BOTH
@VIDEO
def test_what_is_no_payload_is_refused(module: ModuleType, name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each says it in its own words)
        module.depayload(parameters(module, name), b"")


@VIDEO
@BOTH
def test_a_key_frame_is_forced(module: ModuleType, name: str) -> None:
    encoder = module.get_encoder(parameters(module, name))
    codec = parameters(module, name)
    sizes = []
    for number in range(6):
        payloads, timestamp = encoder.encode(numbered(0), force_keyframe=number == 4)
        data = jitter_frame(module, codec, payloads, timestamp).data
        sizes.append(data[0] & 1 == 0 if name == "VP8" else b"\0\0\1\x65" in data or b"\0\0\1\x25" in data)
    assert sizes == [True, False, False, False, True, False]


@VIDEO
@BOTH
def test_target_bitrate_stays_within_the_constants(module: ModuleType, name: str) -> None:
    constants = importlib.import_module(f"{module.__name__}.{'vpx' if name == 'VP8' else 'h264'}")
    encoder = module.get_encoder(parameters(module, name))
    assert encoder.target_bitrate == constants.DEFAULT_BITRATE
    encoder.target_bitrate = constants.MAX_BITRATE + 1
    assert encoder.target_bitrate == constants.MAX_BITRATE
    encoder.target_bitrate = constants.MIN_BITRATE - 1
    assert encoder.target_bitrate == constants.MIN_BITRATE
    encoder.target_bitrate = constants.MIN_BITRATE + 1000
    encoder.encode(numbered(0))
    assert encoder.target_bitrate == constants.MIN_BITRATE + 1000


@pytest.mark.parametrize("module", ["vpx", "h264", "opus", "g711", "g722"])
def test_constants_are_those_of_aiortc(module: str) -> None:
    ours = vars(importlib.import_module(f"rtcore.aiortc.codecs.{module}"))
    theirs = vars(importlib.import_module(f"aiortc.codecs.{module}"))
    numbers = {name: value for name, value in theirs.items() if name.isupper() and isinstance(value, int)}
    inner = {"FU_A_HEADER_SIZE", "LENGTH_FIELD_SIZE", "NAL_HEADER_SIZE", "STAP_A_HEADER_SIZE"}
    for name in numbers.keys() - inner:
        assert ours[name] == numbers[name], name


@BOTH
@pytest.mark.parametrize("function", ["get_encoder", "get_decoder"])
def test_what_there_is_no_codec_for(module: ModuleType, function: str) -> None:
    codec = RTCRtpCodecParameters("audio/bogus", 8000, 1, 0)
    with pytest.raises(ValueError, match="audio/bogus"):
        getattr(module, function)(codec)


@pytest.mark.parametrize("name", ["VP8", "H264"])
@BOTH
def test_what_cannot_be_decoded_is_ffmpeg_s_error(module: ModuleType, name: str) -> None:
    decoder = module.get_decoder(parameters(module, name))
    with pytest.raises(av.error.FFmpegError):
        decoder.decode(SimpleNamespace(data=b"123", timestamp=0))


def test_the_tables_are_those_of_aiortc() -> None:
    assert repr(OURS.CODECS) == repr(THEIRS.CODECS)
    assert repr(OURS.HEADER_EXTENSIONS) == repr(THEIRS.HEADER_EXTENSIONS)


@given(
    st.integers(-(2**40), 2**40),
    st.fractions(min_value=Fraction(1, 96000), max_value=1, max_denominator=96000),
    st.sampled_from([Fraction(1, 90000), Fraction(1, 8000)]),
)
def test_time_bases(pts: int, one: Fraction, other: Fraction) -> None:
    assert convert_timebase(pts, one, other) == their_convert(pts, one, other)
    assert _core.ticks(pts, one, other.denominator) == int(pts * one * other.denominator)


# rtcore's own codecs and aiortc's words for them


@pytest.mark.parametrize("codec", [*default_codecs("audio"), *default_codecs("video")], ids=repr)
def test_codecs_go_there_and_back(codec: RtpCodec) -> None:
    told = _parameters.codec_of(codec, 100)
    assert (told.mimeType, told.clockRate, told.payloadType) == (codec.mime_type, codec.clock_rate, 100)
    assert matches(_parameters.to_codec(told), codec)
    assert _parameters.to_codec(told).feedback == codec.feedback
    assert matches(_parameters.to_codec(_parameters.capability_of(codec)), codec)


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_aiortc_s_codecs_are_known(kind: str) -> None:
    for codec in THEIRS.CODECS[kind]:
        if not OURS.is_rtx(codec):
            assert any(matches(_parameters.to_codec(codec), known) for known in default_codecs(kind))


# In a sender


def test_an_encoder_of_ours_makes_no_payloads_in_a_sender() -> None:
    owner = OURS.get_encoder(parameters(OURS, "VP8"))
    assert isinstance(owner, _core.VideoEncoder)
    live = _live.live(owner, default_codecs("video")[0], 10_000_000)
    assert live.bitrate == owner.target_bitrate == 1_500_000
    live.bitrate = 1
    assert live.bitrate == owner.target_bitrate == 250_000
    owner.target_bitrate = 700_000
    live.bitrate = 300_000
    assert live.bitrate == 700_000
    [made] = live.encode(numbered(0), key=True)
    assert isinstance(made, EncodedFrame)
    assert made.key
    live.close()


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_opus_has_as_many_channels_as_the_source(layout: str) -> None:
    opus = default_codecs("audio")[0]
    live = _live.live(OURS.get_encoder(parameters(OURS, "opus")), opus, 64_000)
    made = [one for number in range(5) for one in live.encode(tone(number, 48000, layout))]
    assert {bool(bytes(one)[0] & 4) for one in made} == {layout == "stereo"}  # RFC 6716 section 3.1
    live.close()


@pytest.mark.parametrize("name", ["opus", "PCMU", "VP8"])
def test_a_foreign_encoder_s_payloads_are_put_together(name: str) -> None:
    known = [*default_codecs("audio"), *default_codecs("video")]
    codec = next(one for one in known if one.name == name)
    live = _live.live(THEIRS.get_encoder(parameters(THEIRS, name)), codec, 400_000)
    live.bitrate = 450_000
    for number in range(5):
        frame = numbered(number) if name == "VP8" else tone(number, codec.clock_rate)
        for made in live.encode(frame, key=False):
            assert made.codec == name
            due = number * (3000 if name == "VP8" else codec.clock_rate // 50)
            assert due - 1 <= made.timestamp <= due  # aiortc rounds in other time bases
    live.close()
