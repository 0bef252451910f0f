"""`rtcore.aiortc`'s packets, clock and serial numbers against aiortc's: the same bytes, the same values."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiortc.clock
import aiortc.rtp
import aiortc.utils
import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtcore.aiortc.clock
import rtcore.aiortc.rtp
import rtcore.aiortc.utils
from rtcore.native.rtcp import Twcc
from rtcore.native.rtp import Extension

theirs, ours = aiortc.rtp, rtcore.aiortc.rtp
BOTH = pytest.mark.parametrize("module", [theirs, ours], ids=["aiortc", "rtcore"])

u5, u8, u16 = st.integers(0, 31), st.integers(0, 255), st.integers(0, 2**16 - 1)
u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
words = st.binary(max_size=40).map(lambda data: data[: len(data) & ~3])
names = st.text("abcdefgh0123456789", min_size=1, max_size=20)

EXTENSIONS = [
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
]


def plain(packet: Any) -> dict[str, Any]:
    """What an `RtpPacket` says."""
    fields = {name: getattr(packet, name) for name in vars(theirs.RtpPacket())}
    return {**fields, **vars(packet), "extensions": asdict(packet.extensions)}


def map_of(module: Any, ids: list[int]) -> Any:
    found = module.HeaderExtensionsMap()
    elements = [SimpleNamespace(uri=uri, id=id_) for uri, id_ in zip(EXTENSIONS, ids, strict=True)]
    found.configure(SimpleNamespace(headerExtensions=[*elements, SimpleNamespace(uri="urn:other", id=9)]))
    return found


rtp_values = st.fixed_dictionaries(
    {
        "payload_type": st.integers(0, 63) | st.integers(96, 127),
        "marker": st.integers(0, 1),
        "sequence_number": u16,
        "timestamp": u32,
        "ssrc": u32,
        "payload": st.binary(max_size=50),
    }
)
extension_values = st.fixed_dictionaries(
    {
        "mid": st.none() | names,
        "repaired_rtp_stream_id": st.none() | names,
        "rtp_stream_id": st.none() | names,
        "abs_send_time": st.none() | st.integers(0, 2**24 - 1),
        "audio_level": st.none() | st.tuples(st.booleans(), st.integers(0, 127)),
        "transport_sequence_number": st.none() | u16,
    }
)
id_lists = st.lists(st.integers(1, 20).filter(lambda id_: id_ != 15), min_size=6, max_size=6, unique=True)


@given(rtp_values, st.lists(u32, max_size=15), extension_values, id_lists, st.sampled_from([0, 1]))
def test_rtp_packets(
    values: dict[str, Any], csrc: list[int], extensions: dict[str, Any], ids: list[int], padding: int
) -> None:
    written = []
    for module in (theirs, ours):
        packet = module.RtpPacket(**values)
        packet.csrc = csrc
        packet.padding_size = padding
        for name, value in extensions.items():
            setattr(packet.extensions, name, value)
        written.append(packet.serialize(map_of(module, ids)))
        assert repr(packet) == repr(theirs.RtpPacket(**values))
    assert written[0] == written[1]
    read = [module.RtpPacket.parse(written[0], map_of(module, ids)) for module in (theirs, ours)]
    assert plain(read[0]) == plain(read[1])
    assert read[1].serialize(map_of(ours, ids)) == written[0]
    without = [module.RtpPacket.parse(written[0]) for module in (theirs, ours)]
    assert plain(without[0]) == plain(without[1])


@given(st.binary(max_size=80))
def test_rtp_refuses_what_aiortc_refuses(data: bytes) -> None:
    outcomes = []
    for module in (theirs, ours):
        try:
            outcomes.append(plain(module.RtpPacket.parse(data)))
        except ValueError:
            outcomes.append(None)
    # without a map aiortc stumbles over malformed elements that nobody asked for
    assert outcomes[0] in (outcomes[1], None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("marker", 2),
        ("payload_type", 128),
        ("sequence_number", 65536),
        ("timestamp", -1),
        ("ssrc", 2**32),
        ("padding_size", 256),
        ("csrc", [1] * 16),
    ],
)
def test_values_that_do_not_fit(name: str, value: object) -> None:
    packet = ours.RtpPacket()
    setattr(packet, name, value)
    if name == "marker":
        assert packet.serialize()[1] == 0x80, "any true value sets the one bit"
        return
    with pytest.raises(
        ValueError, match="15" if name == "csrc" else name.split("_size")[0].split("_number")[0]
    ):
        packet.serialize()


def test_transmission_offset_has_three_bytes() -> None:
    """RFC 5450 section 2; aiortc writes two of them, and reads three."""
    parameters = SimpleNamespace(
        headerExtensions=[SimpleNamespace(uri="urn:ietf:params:rtp-hdrext:toffset", id=3)]
    )
    for module in (theirs, ours):
        extensions = module.HeaderExtensionsMap()
        extensions.configure(parameters)
        assert extensions.get(0xBEDE, b"\x32\xff\xff\xfe").transmission_offset == -2
    written = extensions.set(ours.HeaderExtensions(transmission_offset=-2))
    assert written == (0xBEDE, b"\x32\xff\xff\xfe")
    with pytest.raises(ValueError, match="transmission_offset"):
        extensions.set(ours.HeaderExtensions(transmission_offset=1 << 23))


def test_malformed_extension_value() -> None:
    extensions = map_of(ours, [1, 2, 3, 4, 5, 6])
    with pytest.raises(ValueError, match="transport_sequence_number has 2 bytes, not 1"):
        extensions.get(0xBEDE, b"\x60\x00\x00\x00")


@given(
    st.lists(st.tuples(st.integers(1, 20).filter(lambda id_: id_ != 15), st.binary(max_size=20)), max_size=5)
)
def test_header_extension_blocks(elements: list[tuple[int, bytes]]) -> None:
    block = theirs.pack_header_extensions(elements)
    assert ours.pack_header_extensions(elements) == block
    assert ours.unpack_header_extensions(*block) == theirs.unpack_header_extensions(*block) == elements


@BOTH
@pytest.mark.parametrize(
    ("profile", "block"),
    [(0xBEDE, b"\x90"), (0xBEDE, b"\x900\x10"), (0x1000, b"\xff"), (0x1000, b"\xff\x010\x12\x02\x01")],
)
def test_truncated_blocks(module: Any, profile: int, block: bytes) -> None:
    with pytest.raises(ValueError, match=r"truncated|malformed"):
        module.unpack_header_extensions(profile, block)


@pytest.mark.parametrize("element", [(0, b"x"), (256, b"x"), (1, bytes(256))])
def test_impossible_elements(element: tuple[int, bytes]) -> None:
    with pytest.raises(ValueError, match="id from 1 to 255"):
        ours.pack_header_extensions([element])


@given(rtp_values, u16, u32)
def test_retransmission(values: dict[str, Any], sequence: int, ssrc: int) -> None:
    wrapped = [m.wrap_rtx(m.RtpPacket(**values), 97, sequence, ssrc) for m in (theirs, ours)]
    assert plain(wrapped[0]) == plain(wrapped[1])
    back = ours.unwrap_rtx(wrapped[1], values["payload_type"], values["ssrc"])
    assert plain(back) == plain(theirs.unwrap_rtx(wrapped[0], values["payload_type"], values["ssrc"]))
    assert back.serialize() == ours.RtpPacket(**values).serialize()


def test_retransmission_too_short() -> None:
    with pytest.raises(ValueError, match="two bytes"):
        ours.unwrap_rtx(ours.RtpPacket(payload=b"x"), 96, 1)


reports = st.lists(st.tuples(u32, u8, st.integers(-(2**23), 2**23 - 1), u32, u32, u32, u32), max_size=31)


def report_list(module: Any, values: list[tuple[int, ...]]) -> list[Any]:
    return [module.RtcpReceiverInfo(*value) for value in values]


@st.composite
def sorted_numbers(draw: st.DrawFn) -> list[int]:
    start = draw(st.integers(0, 30000))
    return sorted(draw(st.sets(st.integers(start, start + 2000), min_size=1, max_size=40)))


MAKERS = {
    "SR": st.tuples(u32, st.tuples(u64, u32, u32, u32), reports).map(
        lambda v: lambda m: m.RtcpSrPacket(v[0], m.RtcpSenderInfo(*v[1]), report_list(m, v[2]))
    ),
    "RR": st.tuples(u32, reports).map(lambda v: lambda m: m.RtcpRrPacket(v[0], report_list(m, v[1]))),
    "SDES": st.tuples(
        u32, st.lists(st.tuples(st.integers(1, 8), st.binary(max_size=20)), min_size=1, max_size=4)
    )
    # with three bytes over, aiortc adds a word that belongs to no chunk
    .filter(lambda v: sum(2 + len(text) for _, text in v[1]) % 4 != 3)
    .map(lambda v: lambda m: m.RtcpSdesPacket([m.RtcpSourceInfo(*v)])),
    "BYE": st.lists(u32, max_size=31).map(lambda v: lambda m: m.RtcpByePacket(v)),
    "PSFB": st.tuples(st.sampled_from([1, 2, 3]), u32, u32, words)
    .filter(lambda v: v[0] != 1 or not v[3])
    .map(lambda v: lambda m: m.RtcpPsfbPacket(*v)),
    "NACK": st.tuples(st.just(1), u32, u32, sorted_numbers()).map(lambda v: lambda m: m.RtcpRtpfbPacket(*v)),
    "REMB": st.tuples(u32, st.integers(0, 2**40), st.lists(u32, max_size=5)).map(
        lambda v: lambda m: m.RtcpPsfbPacket(15, v[0], 0, m.pack_remb_fci(v[1], v[2]))
    ),
}


@given(st.lists(st.one_of(*MAKERS.values()), min_size=1, max_size=4))
def test_rtcp_packets(makers: list[Any]) -> None:
    packets = [[make(module) for make in makers] for module in (theirs, ours)]
    for their, our in zip(*packets, strict=True):
        assert bytes(their) == bytes(our)
    data = b"".join(map(bytes, packets[0]))
    read = [module.RtcpPacket.parse(data) for module in (theirs, ours)]
    assert read[1] == packets[1]
    for their, our in zip(*read, strict=True):
        assert type(their).__name__ == type(our).__name__
        assert asdict(their).items() <= asdict(our).items()


@given(st.binary(max_size=60))
def test_rtcp_takes_no_garbage(data: bytes) -> None:
    header = bytes([0x80 | (data[0] & 3 if data else 0), 200 + (len(data) % 7)])
    whole = header + (len(data) // 4).to_bytes(2, "big") + data[: len(data) & ~3]
    try:
        packets = ours.RtcpPacket.parse(whole)
    except ValueError:
        return
    assert [ours.RtcpPacket.parse(bytes(packet)) for packet in packets] == [[packet] for packet in packets]


def test_unknown_packets_are_passed_over() -> None:
    app = bytes.fromhex("80cc0002 00000001 41424344")
    assert ours.RtcpPacket.parse(app + bytes(ours.RtcpByePacket([7]))) == [ours.RtcpByePacket([7])]


def test_padded_packet() -> None:
    data = bytes.fromhex("a1cb0002 00000007 00000004")
    assert ours.RtcpPacket.parse(data) == [ours.RtcpByePacket([7])]


@pytest.mark.parametrize("name", ["RtcpByePacket", "RtcpRrPacket", "RtcpSrPacket", "RtcpSdesPacket"])
@BOTH
def test_truncated_packets(module: Any, name: str) -> None:
    with pytest.raises(ValueError, match=r"truncated|invalid|malformed"):
        getattr(module, name).parse(b"", 1)


@pytest.mark.parametrize("name", ["RtcpPsfbPacket", "RtcpRtpfbPacket"])
@BOTH
def test_truncated_feedback(module: Any, name: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        getattr(module, name).parse(bytes(4), 1)


def test_nack_turns_over() -> None:
    packet = ours.RtcpRtpfbPacket(1, 2, 3, [65534, 65535, 0, 1])
    assert ours.RtcpPacket.parse(bytes(packet)) == [packet]


def test_other_feedback_keeps_what_it_says() -> None:
    data = bytes(Twcc(1, 2, base=7, reference=3, feedback=9, deltas=[4, None, -300, 20]))
    (packet,) = ours.RtcpPacket.parse(data)
    assert isinstance(packet, ours.RtcpRtpfbPacket)
    assert (packet.fmt, packet.lost, packet.fci) == (15, [], data[12:])
    assert bytes(packet) == data


def test_chunks_end_on_words() -> None:
    """RFC 3550 section 6.5."""
    chunks = [ours.RtcpSourceInfo(1, [(1, b"abc")]), ours.RtcpSourceInfo(2, [(1, b"de"), (2, b"f")])]
    data = bytes(ours.RtcpSdesPacket(chunks))
    assert data.hex(" ", 4) == "82ca0006 00000001 01036162 63000000 00000002 01026465 02016600"
    assert ours.RtcpPacket.parse(data) == [ours.RtcpSdesPacket(chunks)]


@given(st.integers(0, 2**40), st.lists(u32, max_size=5))
def test_remb(bitrate: int, ssrcs: list[int]) -> None:
    fci = theirs.pack_remb_fci(bitrate, ssrcs)
    assert ours.pack_remb_fci(bitrate, ssrcs) == fci
    assert ours.unpack_remb_fci(fci) == theirs.unpack_remb_fci(fci)


@BOTH
@pytest.mark.parametrize("fci", [b"", b"REMB", b"JUNK\x00\x00\x00\x00"])
def test_no_remb(module: Any, fci: bytes) -> None:
    with pytest.raises(ValueError, match="REMB"):
        module.unpack_remb_fci(fci)


@given(st.integers(-(2**24), 2**24))
def test_packets_lost(count: int) -> None:
    clamped = theirs.clamp_packets_lost(count)
    assert ours.clamp_packets_lost(count) == clamped
    packed = theirs.pack_packets_lost(clamped)
    assert ours.pack_packets_lost(clamped) == packed
    assert ours.unpack_packets_lost(packed) == theirs.unpack_packets_lost(packed) == clamped


@given(reports)
def test_report_alone(many: list[tuple[int, ...]]) -> None:
    for values in many:
        check_report(values)


def check_report(values: tuple[int, ...]) -> None:
    report = ours.RtcpReceiverInfo(*values)
    assert bytes(report) == bytes(theirs.RtcpReceiverInfo(*values))
    assert ours.RtcpReceiverInfo.parse(bytes(report)) == report
    info = ours.RtcpSenderInfo(*values[:2], *values[4:6])
    assert bytes(info) == bytes(theirs.RtcpSenderInfo(*values[:2], *values[4:6]))
    assert ours.RtcpSenderInfo.parse(bytes(info)) == info


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\xc8", b"\x80\xd0", b"\x80\xbf", b"\x80\x60"])
def test_is_rtcp(data: bytes) -> None:
    assert ours.is_rtcp(data) == theirs.is_rtcp(data)


@pytest.mark.parametrize("amplitude", [0, 1, 100, 5000, 32767])
def test_audio_level(amplitude: int) -> None:
    wave = np.rint(amplitude * np.sin(np.arange(960) / 7)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 48000
    assert ours.compute_audio_level_dbov(frame) == theirs.compute_audio_level_dbov(frame)


@given(u16, u16, u32, u32)
def test_serial_numbers(a: int, b: int, c: int, d: int) -> None:
    for name, x, y in [("uint16", a, b), ("uint16", a, a), ("uint32", c, d), ("uint32", c, c)]:
        for operation in ("add", "gt", "gte"):
            their, our = (getattr(m, f"{name}_{operation}") for m in (aiortc.utils, rtcore.aiortc.utils))
            half = abs(x - y) == 1 << (15 if name == "uint16" else 31)
            if not (half and operation != "add"):  # neither comes after the other
                assert our(x, y) == their(x, y)
    assert rtcore.aiortc.utils.uint16_add(a, -b) == aiortc.utils.uint16_add(a, -b)


def test_random_numbers() -> None:
    assert 0 <= rtcore.aiortc.utils.random16() < 1 << 16
    assert 0 <= rtcore.aiortc.utils.random32() < 1 << 32
    assert len({rtcore.aiortc.utils.random32() for _ in range(20)}) > 15


@given(st.datetimes(datetime(1900, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC)), u64)
def test_ntp_time(moment: datetime, ntp: int) -> None:
    their, our = aiortc.clock, rtcore.aiortc.clock
    assert our.NTP_EPOCH == their.NTP_EPOCH
    assert our.datetime_to_ntp(moment) == their.datetime_to_ntp(moment)
    assert our.datetime_from_ntp(ntp) == their.datetime_from_ntp(ntp)


def test_now() -> None:
    their, our = aiortc.clock, rtcore.aiortc.clock
    assert abs((our.current_datetime() - their.current_datetime()).total_seconds()) < 10
    assert abs(our.current_ms() - their.current_ms()) < 10_000
    assert abs(our.current_ntp_time() - their.current_ntp_time()) < 10 << 32


def test_extension_names_are_rtcore_names() -> None:
    known = {extension.uri for extension in Extension}
    assert set(EXTENSIONS) <= known
