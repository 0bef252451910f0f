"""rtcore.native.rtp: RFC examples, round trips, aiortc's codec as the judge of ours, hostile packets,
batches."""

import struct
import threading
from typing import Any

import numpy as np
import pytest
from aiortc import rtp as peer
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from hypothesis import example, given
from hypothesis import strategies as st

from rtcore.native.rtp import (
    DTYPE,
    Extension,
    ExtensionMap,
    RtpPacket,
    from_ntp,
    is_rtcp,
    parse_batch,
    to_ntp,
)

IDS = {extension: int(extension) + 1 for extension in Extension}
MAP = ExtensionMap(IDS)
U8, U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
TEXT = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=16)
HEADER: dict[str, st.SearchStrategy[Any]] = {
    "payload_type": st.integers(0, 127),
    "sequence": U16,
    "timestamp": U32,
    "ssrc": U32,
    "marker": st.booleans(),
    "csrcs": st.lists(U32, max_size=15).map(tuple),
    "padding": U8,
    "payload": st.binary(max_size=50),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "mid": TEXT,
    "rid": TEXT,
    "repaired_rid": TEXT,
    "audio_level": st.integers(-127, 0),
    "abs_send_time": st.integers(0, 2**24 - 1),
    "transport_sequence": U16,
    "orientation": U8,
    "playout_delay": st.tuples(st.integers(0, 4095), st.integers(0, 4095)),
    "capture_time": U64,
    "dependency_descriptor": st.binary(min_size=1, max_size=255),
}


def some(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Values for some of the names."""
    return st.fixed_dictionaries({}, optional=values)


def made(header: dict[str, Any], values: dict[str, Any], extensions: ExtensionMap | None = None) -> RtpPacket:
    packet = RtpPacket(**header, extensions=extensions)
    for name, value in values.items():
        setattr(packet, name, value)
    return packet


def peer_map(ids: dict[Extension, int]) -> peer.HeaderExtensionsMap:
    parameters = RTCRtpParameters()
    parameters.headerExtensions = [
        RTCRtpHeaderExtensionParameters(id=id, uri=extension.uri) for extension, id in ids.items()
    ]
    known = peer.HeaderExtensionsMap()
    known.configure(parameters)
    return known


PEER_MAP = peer_map(IDS)


def test_header_of_rfc3550_section_5_1() -> None:
    packet = RtpPacket.parse(bytes.fromhex("80e01234000003e8deadbeef") + b"payload")
    assert packet.marker
    assert (packet.payload_type, packet.sequence) == (96, 0x1234)
    assert (packet.timestamp, packet.ssrc) == (1000, 0xDEADBEEF)
    assert (packet.csrcs, packet.padding, packet.block, packet.elements) == ((), 0, None, ())
    assert packet.payload == b"payload"
    assert (packet.mid, packet.audio_level, packet.transport_sequence, packet.extensions) == (None,) * 4
    assert repr(packet) == (
        "<RtpPacket 0xdeadbeef payload type 96 sequence 4660 timestamp 1000 marker, 7 bytes>"
    )


def test_elements_of_rfc8285_section_4_2() -> None:
    """The section's example: three elements of 1, 2 and 4 bytes, padding between and behind."""
    block = bytes.fromhex("20aa00003105063353c1c2c300000000")
    packet = RtpPacket.parse(
        bytes.fromhex("906000010000000200000003bede") + struct.pack("!H", len(block) // 4) + block
    )
    assert packet.elements == ((2, b"\xaa"), (3, b"\x05\x06"), (3, b"\x53\xc1\xc2\xc3"))
    assert packet.block == (0xBEDE, block)
    assert bytes(packet)[12:] == b"\xbe\xde\x00\x04" + block


def test_elements_of_rfc8285_section_4_3() -> None:
    """Two-byte headers: one element without a value, one of one byte, one of four; the low bits of the
    profile are the application's."""
    block = bytes.fromhex("010002018100000304c1c2c3c4000000")
    packet = RtpPacket.parse(bytes.fromhex("9060000100000002000000031005") + b"\x00\x04" + block)
    assert packet.elements == ((1, b""), (2, b"\x81"), (3, b"\xc1\xc2\xc3\xc4"))


@given(st.fixed_dictionaries(HEADER), some(VALUES), st.none() | st.integers(-(2**63), 2**63 - 1))
def test_round_trip(header: dict[str, Any], values: dict[str, Any], offset: int | None) -> None:
    if "capture_time" in values:
        values["capture_offset"] = offset
    packet = made(header, values)
    again = RtpPacket.parse(packet.serialize(MAP), MAP)
    for name, value in header.items():
        assert getattr(again, name) == value, name
    for name in VALUES:
        assert getattr(again, name) == values.get(name), name
    assert again.capture_offset == values.get("capture_offset")
    assert bytes(again) == packet.serialize(MAP)
    assert again == RtpPacket.parse(memoryview(bytearray(bytes(again))), MAP)


@given(st.fixed_dictionaries(HEADER), st.none() | st.tuples(U16, st.binary(max_size=10).map(lambda b: b * 4)))
@example({"payload": b"x"}, (0, b""))
@example({"payload": b"x"}, (0xBEDE, b"\x13ab\x00"))
def test_a_packet_without_a_map_stays_as_it_came(
    header: dict[str, Any], block: tuple[int, bytes] | None
) -> None:
    packet = RtpPacket(**header)
    packet.block = block
    data = bytearray(bytes(packet))
    if packet.padding:
        data[-packet.padding : -1] = bytes(packet.padding - 1)
    again = RtpPacket.parse(data)
    assert again.block == block
    assert bytes(again) == data
    assert again.payload == packet.payload


COMMON = {
    name: VALUES[name] for name in ("mid", "rid", "repaired_rid", "abs_send_time", "transport_sequence")
}


def check_same(ours: RtpPacket, theirs: peer.RtpPacket) -> None:
    assert ours.payload_type == theirs.payload_type
    assert ours.marker == theirs.marker
    assert (ours.sequence, ours.timestamp) == (theirs.sequence_number, theirs.timestamp)
    assert (ours.ssrc, ours.csrcs) == (theirs.ssrc, tuple(theirs.csrc))
    assert (ours.padding, ours.payload) == (theirs.padding_size, theirs.payload)
    values = theirs.extensions
    assert (ours.mid, ours.rid) == (values.mid, values.rtp_stream_id)
    assert ours.repaired_rid == values.repaired_rtp_stream_id
    assert ours.abs_send_time == values.abs_send_time
    assert ours.transport_sequence == values.transport_sequence_number
    level = None if ours.audio_level is None else (ours.voice, -ours.audio_level)
    assert level == values.audio_level


@given(st.fixed_dictionaries(HEADER), some(COMMON), st.none() | st.tuples(st.booleans(), st.integers(0, 127)))
def test_aiortc_reads_what_we_write(
    header: dict[str, Any], values: dict[str, Any], level: tuple[bool, int] | None
) -> None:
    packet = made(header, values, MAP)
    if level is not None:
        packet.voice, packet.audio_level = level[0], -level[1]
    check_same(packet, peer.RtpPacket.parse(packet.serialize(), PEER_MAP))


@given(st.fixed_dictionaries(HEADER), some(COMMON), st.none() | st.tuples(st.booleans(), st.integers(0, 127)))
def test_we_read_what_aiortc_writes(
    header: dict[str, Any], values: dict[str, Any], level: tuple[bool, int] | None
) -> None:
    theirs = peer.RtpPacket(
        payload_type=header["payload_type"],
        marker=header["marker"],
        sequence_number=header["sequence"],
        timestamp=header["timestamp"],
        ssrc=header["ssrc"],
        payload=header["payload"],
    )
    theirs.csrc, theirs.padding_size = list(header["csrcs"]), header["padding"]
    theirs.extensions = peer.HeaderExtensions(
        abs_send_time=values.get("abs_send_time"),
        audio_level=level,
        mid=values.get("mid"),
        repaired_rtp_stream_id=values.get("repaired_rid"),
        rtp_stream_id=values.get("rid"),
        transport_sequence_number=values.get("transport_sequence"),
    )
    check_same(RtpPacket.parse(theirs.serialize(PEER_MAP), MAP), theirs)


@given(st.binary(max_size=60).map(lambda data: bytes([0x80 | data[0] & 0x3F]) + data[1:] if data else b""))
def test_aiortc_and_we_take_the_same_datagrams(data: bytes) -> None:
    """The extension block is left out: aiortc reads the elements behind id 15, and blocks of 0x1000 only."""
    try:
        theirs = peer.RtpPacket.parse(data)
    except ValueError:
        with pytest.raises(ValueError, match="not an RTP packet"):
            RtpPacket.parse(data)
    else:
        check_same(RtpPacket.parse(data), theirs)


def full_packet() -> bytes:
    packet = RtpPacket(b"payload", csrcs=(1, 2), padding=3, sequence=7, extensions=MAP)
    packet.mid, packet.audio_level, packet.dependency_descriptor = "video", -30, bytes(20)
    return packet.serialize()


def test_every_truncation_and_every_flipped_bit() -> None:
    data = full_packet()
    for size in range(len(data)):
        cut = data[:size]
        if size and cut[-1] and size > 12:
            continue  # then the last byte may count padding
        with pytest.raises(ValueError, match="RTP packet"):
            RtpPacket.parse(cut, MAP)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            packet = RtpPacket.parse(flipped, MAP)
        except ValueError:
            continue
        RtpPacket.parse(packet.serialize(), MAP)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not an RTP packet"),
        (bytes(12), "not an RTP packet"),  # version 0
        (bytes.fromhex("8f600001") + bytes(8), "not an RTP packet"),  # fifteen CSRCs that are not there
        (bytes.fromhex("90600001") + bytes(8), "not an RTP packet"),  # a block that is not there
        (bytes.fromhex("90600001") + bytes(8) + b"\xbe\xde\xff\xff", "not an RTP packet"),
        (bytes.fromhex("a0600001") + bytes(9), "not an RTP packet"),  # padding of 0 bytes
        (bytes.fromhex("a0600001") + bytes(8) + b"\x02", "not an RTP packet"),  # beyond the payload
        (bytes.fromhex("90600001") + bytes(8) + b"\xbe\xde\x00\x01\x00\x00\x00\x1f", "leaves its block"),
    ],
)
def test_malformed(data: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        RtpPacket.parse(data, MAP)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, bad) for name in ("sequence", "timestamp", "ssrc", "payload_type") for bad in (-1, 2**32)],
        ("payload_type", 128),
        ("sequence", 65536),
        ("padding", 256),
        ("csrcs", range(16)),
        ("csrcs", [-1]),
        ("mid", ""),
        ("rid", "seventeen letters"),
        ("repaired_rid", "\N{GREEK SMALL LETTER ALPHA}" * 9),
        ("audio_level", 1),
        ("audio_level", -128),
        ("abs_send_time", 2**24),
        ("transport_sequence", 65536),
        ("orientation", 256),
        ("playout_delay", (0, 4096)),
        ("capture_time", 2**64),
        ("capture_offset", 2**63),
        ("dependency_descriptor", b""),
        ("dependency_descriptor", bytes(256)),
        ("block", (0xBEDE, b"abc")),
        ("block", (65536, b"")),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Any) -> None:
    packet = RtpPacket(b"payload", csrcs=(1,), sequence=5, extensions=MAP)
    before = bytes(packet)
    with pytest.raises(ValueError, match=r"\d"):
        setattr(packet, name, value)
    assert bytes(packet) == before


def test_values_go_with_none() -> None:
    packet = RtpPacket.parse(full_packet(), MAP)
    packet.mid = packet.audio_level = packet.dependency_descriptor = None
    assert packet.serialize() == bytes(RtpPacket(b"payload", csrcs=(1, 2), padding=3, sequence=7))


def test_values_want_a_map() -> None:
    packet = RtpPacket()
    packet.mid = "0"
    with pytest.raises(ValueError, match="ExtensionMap"):
        packet.serialize()
    assert RtpPacket.parse(packet.serialize(ExtensionMap({})), MAP).mid is None  # no id: left out


def test_another_map_moves_the_ids() -> None:
    """What a forwarder does: ids of one side become those of the other."""
    other = ExtensionMap({Extension.MID: 200, Extension.AUDIO_LEVEL: 14})
    again = RtpPacket.parse(RtpPacket.parse(full_packet(), MAP).serialize(other), other)
    assert (again.mid, again.audio_level, again.dependency_descriptor) == ("video", -30, None)
    assert again.elements == ((200, b"video"), (14, bytes([30])))


def test_map_by_uri() -> None:
    by_uri = ExtensionMap({extension.uri: id for extension, id in IDS.items()} | {"urn:example:other": 99})
    assert by_uri == MAP
    assert hash(by_uri) == hash(MAP)
    assert by_uri.ids == IDS
    for extension in Extension:
        assert extension.bit == 1 << extension


@pytest.mark.parametrize("ids", [{0: 0}, {0: 15}, {0: 256}, {0: -1}, {0: 5, 1: 5}, {10: 1}])
def test_map_refuses(ids: dict[int, int]) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        ExtensionMap(ids)  # type: ignore[arg-type]


@given(st.fixed_dictionaries(HEADER | {"padding": st.just(0)}), U16, U32, st.integers(0, 127))
def test_rtx_against_aiortc(header: dict[str, Any], sequence: int, ssrc: int, payload_type: int) -> None:
    """RFC 4588 section 4, both ways."""
    original = RtpPacket(**header)
    theirs = peer.RtpPacket.parse(bytes(original))
    wrapped = peer.wrap_rtx(
        theirs, payload_type=payload_type, sequence_number=sequence, ssrc=ssrc
    ).serialize()
    rtx = RtpPacket.parse(wrapped)
    assert rtx.unwrap_rtx(ssrc=original.ssrc, payload_type=original.payload_type) == original
    assert rtx.sequence == sequence  # the packet itself stays
    with pytest.raises(ValueError, match="retransmitted"):
        RtpPacket(b"1").unwrap_rtx(ssrc=1, payload_type=2)


def test_rtp_or_rtcp() -> None:
    for second in range(256):
        assert is_rtcp(bytes([0x80, second])) == (192 <= second <= 223)
    assert not is_rtcp(b"\x80")


def test_ntp() -> None:
    assert to_ntp(0) == 2208988800 << 32
    assert to_ntp(1.5) == (2208988801 << 32) + 2**31
    assert from_ntp(to_ntp(1700000000.25)) == 1700000000.25
    for bad in (-2208988801, 2085978496):
        with pytest.raises(ValueError, match="1900"):
            to_ntp(bad)


def test_packets_are_not_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(RtpPacket())
    assert RtpPacket() != 5


def row_of(row: Any) -> dict[str, Any]:
    """The fields of a row that an `RtpPacket` has under the same name."""
    names = ("sequence", "timestamp", "ssrc", "payload_type", "marker", "padding")
    return {name: row[name].item() for name in names}


def check_row(row: Any, packet: RtpPacket) -> None:
    assert row["valid"]
    for name, value in row_of(row).items():
        assert getattr(packet, name) == value
    assert row["csrc_count"] == len(packet.csrcs)
    for name, extension in (
        ("mid", Extension.MID),
        ("rid", Extension.RID),
        ("repaired_rid", Extension.REPAIRED_RID),
        ("audio_level", Extension.AUDIO_LEVEL),
        ("abs_send_time", Extension.ABS_SEND_TIME),
        ("transport_sequence", Extension.TRANSPORT_SEQUENCE),
        ("orientation", Extension.VIDEO_ORIENTATION),
        ("capture_time", Extension.ABS_CAPTURE_TIME),
    ):
        value = getattr(packet, name)
        assert bool(row["present"] & extension.bit) == (value is not None)
        if value is not None:
            assert row[name] == (value.encode() if isinstance(value, str) else value)
    if packet.playout_delay is not None:
        assert (row["playout_min"], row["playout_max"]) == packet.playout_delay


PACKETS = st.lists(
    st.builds(
        lambda header, values, good: bytes(made(header, values, MAP)) if good else b"malformed",
        st.fixed_dictionaries(HEADER),
        some(VALUES),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=8,
)


@given(PACKETS)
def test_batch_says_what_packets_say(packets: list[bytes]) -> None:
    joined, ends = b"".join(packets), np.cumsum([0, *map(len, packets)])
    rows = parse_batch(packets, MAP)
    whole = parse_batch(joined, MAP, offsets=ends)
    assert rows.dtype == whole.dtype == DTYPE
    assert len(rows) == len(whole) == len(packets)
    for i, data in enumerate(packets):
        if data == b"malformed":
            assert rows[i].tobytes() == whole[i].tobytes() == bytes(DTYPE.itemsize)
            continue
        packet = RtpPacket.parse(data, MAP)
        for row, memory in ((rows[i], data), (whole[i], joined)):
            check_row(row, packet)
            start = int(row["payload_offset"])
            assert memory[start : start + int(row["payload_size"])] == packet.payload
            start = int(row["descriptor_offset"])
            found = memory[start : start + int(row["descriptor_size"])]
            assert found == (packet.dependency_descriptor or b"")


def test_batch_takes_any_buffers() -> None:
    data = full_packet()
    packets: list[Any] = [data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8), b""]
    rows = parse_batch(packets, MAP)
    assert rows["valid"].tolist() == [True] * 4 + [False]
    assert rows["mid"].tolist() == [b"video"] * 4 + [b""]
    assert rows["audio_level"].tolist() == [-30] * 4 + [0]
    assert len(parse_batch([])) == len(parse_batch(b"", offsets=[0])) == 0
    with pytest.raises(TypeError):
        parse_batch([data, 5])  # type: ignore[list-item]
    buffer = bytearray(data)
    parse_batch([buffer])
    buffer += b"x"  # nobody holds it any more


def test_batch_in_one_buffer_with_gaps() -> None:
    data = full_packet()
    memory = b"gap" + data + b"--" + data
    rows = parse_batch(memory, offsets=[3, 5 + len(data)], sizes=[len(data)] * 2)
    assert rows["valid"].all()
    assert rows["sequence"].tolist() == [7, 7]
    assert not rows["present"].any()  # no map
    assert rows["payload_offset"][1] - rows["payload_offset"][0] == len(data) + 2
    out = np.zeros(5, DTYPE)
    part = parse_batch(memory, offsets=[3, 5 + len(data)], sizes=[len(data)] * 2, out=out)
    assert part.base is out
    assert np.array_equal(part, rows)
    assert not out[2:]["valid"].any()


@pytest.mark.parametrize(
    ("offsets", "sizes"),
    [
        ([0, 101], None),
        ([-1, 5], None),
        ([50, 20], None),
        ([0, 2**63], None),
        ([], None),
        ([0.5, 2.5], None),
        ([[0, 1]], None),
        ([0, 10], [10]),
        ([99], [2]),
        ([10], [-5]),
        ([2**62], [2**62]),
        ([1, 2], ["a", "b"]),
    ],
)
def test_batch_refuses_offsets(offsets: Any, sizes: Any) -> None:
    with pytest.raises(ValueError, match=r"offsets|outside|whole|sizes"):
        parse_batch(bytes(100), offsets=offsets, sizes=sizes)


@pytest.mark.parametrize(
    "out",
    [np.zeros(1, DTYPE), np.zeros((2, 2), DTYPE), np.zeros(2, np.uint8), [0, 0], np.zeros(4, DTYPE)[::2]],
)
def test_batch_refuses_an_array(out: Any) -> None:
    with pytest.raises(ValueError, match=r"DTYPE|contiguous"):
        parse_batch([full_packet()] * 2, out=out)


def test_sizes_want_offsets() -> None:
    with pytest.raises(ValueError, match="offsets"):
        parse_batch(b"", sizes=[1])


def test_batches_from_many_threads() -> None:
    """Without the GIL, while others change their own list: each call keeps its packets."""
    data = [bytes(RtpPacket(bytes(100), sequence=i, extensions=MAP)) for i in range(1000)]
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(50):
            own = [bytes(bytearray(packet)) for packet in data]
            if parse_batch(own, MAP)["sequence"].tolist() != list(range(1000)):
                wrong.append(own)
            own.clear()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
