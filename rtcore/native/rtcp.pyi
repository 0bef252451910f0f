"""RTCP packets: reports, source descriptions, goodbyes (RFC 3550), feedback (RFC 4585, 5104, 8888; REMB,
transport-wide), extended reports (RFC 3611).

`parse_compound()` reads a datagram into a list of immutable packets, `serialize()` writes a list of them.
Packets compare by value and can be matched (`case Nack(lost=lost)`).
"""

from collections.abc import Iterable
from typing import final

from typing_extensions import Buffer

class RtcpPacket:
    """The base of all packets. `bytes()` of one is its own serialization."""

    def __bytes__(self) -> bytes: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ReportBlock:
    """What a receiver reports of one source (RFC 3550 section 6.4.1)."""

    __match_args__ = ("ssrc", "fraction_lost", "lost", "highest", "jitter", "last_sr", "delay")

    def __init__(
        self,
        ssrc: int,
        *,
        fraction_lost: int = 0,
        lost: int = 0,
        highest: int = 0,
        jitter: int = 0,
        last_sr: int = 0,
        delay: int = 0,
    ) -> None: ...
    @property
    def ssrc(self) -> int:
        """The source that it is about."""
    @property
    def fraction_lost(self) -> int:
        """Of 256, since the report before."""
    @property
    def lost(self) -> int:
        """Packets lost in all, 24 bits signed: duplicates can make it negative."""
    @property
    def highest(self) -> int:
        """Highest sequence number, with the count of its turns in the upper 16 bits."""
    @property
    def jitter(self) -> int:
        """Of the arrival times, in units of the codec's clock."""
    @property
    def last_sr(self) -> int:
        """The middle 32 bits of the last SR's NTP time; 0: none yet."""
    @property
    def delay(self) -> int:
        """Since that one came, in units of 1/65536 s."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Sr(RtcpPacket):
    """Sender report (RFC 3550 section 6.4.1)."""

    __match_args__ = ("ssrc", "ntp", "rtp_time", "packets", "octets", "blocks")

    def __init__(
        self,
        ssrc: int,
        *,
        ntp: int = 0,
        rtp_time: int = 0,
        packets: int = 0,
        octets: int = 0,
        blocks: Iterable[ReportBlock] = (),
    ) -> None:
        """`blocks`: up to 31 of `ReportBlock`."""
    @property
    def ssrc(self) -> int:
        """Of the sender."""
    @property
    def ntp(self) -> int:
        """When it was sent, NTP time in 64 bits."""
    @property
    def rtp_time(self) -> int:
        """The same moment on the stream's RTP clock."""
    @property
    def packets(self) -> int:
        """Sent in all, modulo 2^32."""
    @property
    def octets(self) -> int:
        """Payload sent in all, modulo 2^32."""
    @property
    def blocks(self) -> tuple[ReportBlock, ...]: ...

@final
class Rr(RtcpPacket):
    """Receiver report (RFC 3550 section 6.4.2)."""

    __match_args__ = ("ssrc", "blocks")

    def __init__(self, ssrc: int, blocks: Iterable[ReportBlock] = ()) -> None:
        """`blocks`: up to 31 of `ReportBlock`."""
    @property
    def ssrc(self) -> int: ...
    @property
    def blocks(self) -> tuple[ReportBlock, ...]: ...

@final
class SdesItem:
    """One item of a source's description (RFC 3550 section 6.5): its type (1: CNAME) and text."""

    __match_args__ = ("ssrc", "type", "text")

    def __init__(self, ssrc: int, type: int, text: str | Buffer) -> None:
        """`type` 1 to 255; `text`: up to 255 bytes, str as UTF-8."""
    @property
    def ssrc(self) -> int: ...
    @property
    def type(self) -> int: ...
    @property
    def text(self) -> bytes: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Sdes(RtcpPacket):
    """Source descriptions (RFC 3550 section 6.5): the items of all chunks. Chunks without items are passed
    over."""

    __match_args__ = ("items",)

    def __init__(self, items: Iterable[SdesItem] = ()) -> None:
        """`items`: of `SdesItem`; those of one source that follow each other make a chunk, of which there
        are up to 31."""
    @staticmethod
    def cname(ssrc: int, name: str | Buffer) -> Sdes:
        """The packet that tells one source's canonical name."""
    @property
    def items(self) -> tuple[SdesItem, ...]: ...

@final
class Bye(RtcpPacket):
    """Sources leave (RFC 3550 section 6.6)."""

    __match_args__ = ("sources", "reason")

    def __init__(self, sources: Iterable[int] = (), reason: str | Buffer = b"") -> None:
        """`sources`: up to 31 SSRCs; `reason`: up to 255 bytes, str as UTF-8."""
    @property
    def sources(self) -> tuple[int, ...]: ...
    @property
    def reason(self) -> bytes: ...

@final
class App(RtcpPacket):
    """An application's own packet (RFC 3550 section 6.7)."""

    __match_args__ = ("ssrc", "name", "data", "subtype")

    def __init__(self, ssrc: int, name: str | Buffer, data: Buffer = b"", *, subtype: int = 0) -> None:
        """`name`: four bytes (or ASCII letters); `subtype` 0 to 31."""
    @property
    def ssrc(self) -> int: ...
    @property
    def name(self) -> bytes: ...
    @property
    def data(self) -> bytes: ...
    @property
    def subtype(self) -> int: ...

@final
class Nack(RtcpPacket):
    """Asks for packets again (RFC 4585 section 6.2.1)."""

    __match_args__ = ("sender", "media", "lost")

    def __init__(self, sender: int, media: int, lost: Iterable[int]) -> None:
        """`lost`: sequence numbers, at least one, each once, in ascending order (65535 is followed by 0)."""
    @property
    def sender(self) -> int: ...
    @property
    def media(self) -> int: ...
    @property
    def lost(self) -> tuple[int, ...]: ...

@final
class Pli(RtcpPacket):
    """Asks for a key frame since pictures were lost (RFC 4585 section 6.3.1)."""

    __match_args__ = ("sender", "media")

    def __init__(self, sender: int, media: int) -> None: ...
    @property
    def sender(self) -> int: ...
    @property
    def media(self) -> int: ...

@final
class FirEntry:
    """A stream that should begin with a key frame, and the number of the request: the same one is not
    obeyed twice."""

    __match_args__ = ("ssrc", "sequence")

    def __init__(self, ssrc: int, sequence: int) -> None:
        """`sequence` 0 to 255."""
    @property
    def ssrc(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Fir(RtcpPacket):
    """Full intra request (RFC 5104 section 4.3.1)."""

    __match_args__ = ("sender", "entries")

    def __init__(self, sender: int, entries: Iterable[FirEntry]) -> None:
        """`entries`: of `FirEntry`, at least one."""
    @property
    def sender(self) -> int: ...
    @property
    def entries(self) -> tuple[FirEntry, ...]: ...

@final
class Remb(RtcpPacket):
    """Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03)."""

    __match_args__ = ("sender", "bitrate", "sources")

    def __init__(self, sender: int, bitrate: int, sources: Iterable[int] = ()) -> None:
        """`bitrate` in bit/s, written rounded down to 18 bits of mantissa; `sources`: up to 255 SSRCs."""
    @property
    def sender(self) -> int: ...
    @property
    def bitrate(self) -> int: ...
    @property
    def sources(self) -> tuple[int, ...]: ...

@final
class Twcc(RtcpPacket):
    """Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

    __match_args__ = ("sender", "media", "base", "reference", "feedback", "deltas")

    def __init__(
        self,
        sender: int,
        media: int,
        *,
        base: int,
        reference: int,
        feedback: int,
        deltas: Iterable[int | None],
    ) -> None:
        """`deltas` for the packets from sequence number `base` on, at least one: `None` for one that did
        not come, else the time since the one received before, in units of 250 us, 16 bits signed; of the
        first since `reference`, which counts 64 ms in 24 bits signed. `feedback`: number of this packet, 0
        to 255.
        """
    @property
    def sender(self) -> int: ...
    @property
    def media(self) -> int: ...
    @property
    def base(self) -> int: ...
    @property
    def reference(self) -> int: ...
    @property
    def feedback(self) -> int: ...
    @property
    def deltas(self) -> tuple[int | None, ...]: ...
    @property
    def times(self) -> tuple[float | None, ...]:
        """When each packet came, in seconds of the receiver's clock, `None` for one that did not come."""

@final
class CcfbPacket:
    """What RFC 8888 tells of one packet. `offset`: how long before the report it came, in units of 1/1024 s;
    0x1FFE: that or longer, 0x1FFF: after the report. `ecn`: the two bits of its IP header."""

    __match_args__ = ("ssrc", "sequence", "received", "ecn", "offset")

    def __init__(
        self, ssrc: int, sequence: int, received: bool = True, *, ecn: int = 0, offset: int = 0
    ) -> None:
        """`ecn` 0 to 3, `offset` 0 to 0x1FFF; both must be 0 of a packet that was not received."""
    @property
    def ssrc(self) -> int:
        """Of the stream."""
    @property
    def sequence(self) -> int:
        """RTP sequence number."""
    @property
    def received(self) -> bool:
        """False: it did not come."""
    @property
    def ecn(self) -> int:
        """Two bits of the IP header, 3: congestion experienced."""
    @property
    def offset(self) -> int:
        """Arrival before the report, in units of 1/1024 s."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Ccfb(RtcpPacket):
    """Congestion control feedback (RFC 8888)."""

    __match_args__ = ("sender", "timestamp", "packets")

    def __init__(self, sender: int, timestamp: int, packets: Iterable[CcfbPacket] = ()) -> None:
        """`timestamp`: of the report, the middle 32 bits of NTP time. `packets`: of `CcfbPacket`, ordered
        by SSRC and sequence number; gaps cost 8 bytes."""
    @property
    def sender(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def packets(self) -> tuple[CcfbPacket, ...]: ...

@final
class Rrtr:
    """Block of XR: the receiver's reference time (RFC 3611 section 4.4)."""

    __match_args__ = ("ntp",)

    def __init__(self, ntp: int) -> None:
        """NTP time in 64 bits."""
    @property
    def ntp(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class DlrrEntry:
    """Delay since the last RRTR of one receiver. `last_rr`: the middle 32 bits of its time; `delay` in
    units of 1/65536 s."""

    __match_args__ = ("ssrc", "last_rr", "delay")

    def __init__(self, ssrc: int, last_rr: int, delay: int) -> None: ...
    @property
    def ssrc(self) -> int: ...
    @property
    def last_rr(self) -> int: ...
    @property
    def delay(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Dlrr:
    """Block of XR: delays since the last RRTR (RFC 3611 section 4.5)."""

    __match_args__ = ("entries",)

    def __init__(self, entries: Iterable[DlrrEntry]) -> None:
        """`entries`: of `DlrrEntry`."""
    @property
    def entries(self) -> tuple[DlrrEntry, ...]: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class XrBlock:
    """Block of XR of another type, as it is."""

    __match_args__ = ("type", "specific", "data")

    def __init__(self, type: int, specific: int, data: Buffer) -> None:
        """`specific`: the byte behind the type. The length of `data` must be a multiple of 4."""
    @property
    def type(self) -> int: ...
    @property
    def specific(self) -> int: ...
    @property
    def data(self) -> bytes: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Xr(RtcpPacket):
    """Extended report (RFC 3611)."""

    __match_args__ = ("sender", "blocks")

    def __init__(self, sender: int, blocks: Iterable[Rrtr | Dlrr | XrBlock] = ()) -> None:
        """`blocks`: of `Rrtr`, `Dlrr` and `XrBlock`."""
    @property
    def sender(self) -> int: ...
    @property
    def blocks(self) -> tuple[Rrtr | Dlrr | XrBlock, ...]: ...

@final
class Unknown(RtcpPacket):
    """A packet of a type or format that has no class here, as it is, without padding."""

    __match_args__ = ("type", "count", "body")

    def __init__(self, type: int, count: int, body: Buffer = b"") -> None:
        """`count`: the five bits of the first byte, that count things or tell the format. `body`: what stands
        behind the first word."""
    @property
    def type(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def body(self) -> bytes: ...

def parse_compound(data: Buffer) -> list[RtcpPacket]:
    """The packets of a datagram, compound or of reduced size (RFC 5506). `ValueError` if one is malformed."""

def serialize(packets: Iterable[RtcpPacket]) -> bytes:
    """The packets one after the other as one datagram. `ValueError` beyond 65,536 bytes."""
