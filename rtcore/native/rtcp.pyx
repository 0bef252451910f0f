# cython: language_level=3
"""RTCP packets: reports, source descriptions, goodbyes (RFC 3550), feedback (RFC 4585, 5104, 8888; REMB,
transport-wide), extended reports (RFC 3611).

`parse_compound()` reads a datagram into a list of immutable packets, `serialize()` writes a list of them.
Packets compare by value and can be matched (`case Nack(lost=lost)`).
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from rtcore.native.base cimport (
    RT_OK,
    RT_UNSUPPORTED,
    rt_buffer_of,
    rt_reader,
    rt_reader_of,
    rt_span,
    rt_span_of,
    rt_status,
    rt_status_text,
    rt_writer,
    rt_writer_of,
    rt_writer_ok,
    rt_writer_size,
    to_number,
)


cdef extern from "base/span.h":
    uint32_t rt_load32(const uint8_t *p)
    void rt_write8(rt_writer *w, uint8_t v)
    void rt_write16(rt_writer *w, uint16_t v)
    void rt_write32(rt_writer *w, uint32_t v)
    void rt_write64(rt_writer *w, uint64_t v)
    void rt_write_span(rt_writer *w, rt_span span)


cdef extern from "wire/rtcp.h":
    enum:
        RT_RTCP_SR
        RT_RTCP_RR
        RT_RTCP_SDES
        RT_RTCP_BYE
        RT_RTCP_APP
        RT_RTCP_RTPFB
        RT_RTCP_PSFB
        RT_RTCP_XR
        RT_RTPFB_NACK
        RT_RTPFB_CCFB
        RT_RTPFB_TWCC
        RT_PSFB_PLI
        RT_PSFB_FIR
        RT_PSFB_AFB
        RT_SDES_CNAME
        RT_XR_RRTR
        RT_XR_DLRR

    ctypedef struct rt_rtcp:
        uint8_t type, count
        rt_span body

    ctypedef struct rt_rtcp_block:
        uint32_t ssrc
        uint8_t fraction_lost
        int32_t lost
        uint32_t highest, jitter, last_sr, delay

    ctypedef struct rt_rtcp_report:
        uint32_t ssrc
        bint sender
        uint64_t ntp
        uint32_t rtp_time, packets, bytes
        uint8_t blocks

    ctypedef struct rt_rtcp_item:
        uint32_t ssrc
        uint8_t type
        rt_span text

    ctypedef struct rt_rtcp_app:
        uint32_t ssrc
        uint8_t name[4]
        rt_span data

    ctypedef struct rt_rtcp_feedback:
        uint32_t sender, media
        rt_span fci

    ctypedef struct rt_rtcp_fir:
        uint32_t ssrc
        uint8_t sequence

    ctypedef struct rt_rtcp_remb:
        uint64_t bitrate
        uint8_t count
        rt_span sources

    ctypedef struct rt_twcc_packet:
        uint16_t sequence
        bint received
        int32_t delta

    ctypedef struct rt_rtcp_twcc:
        uint16_t base, count
        int32_t reference
        uint8_t feedback

    ctypedef struct rt_ccfb_packet:
        uint32_t ssrc
        uint16_t sequence
        bint received
        uint8_t ecn
        uint16_t offset

    ctypedef struct rt_xr_dlrr:
        uint32_t ssrc, last_rr, delay

    ctypedef struct rt_xr_block:
        uint8_t type, specific
        uint64_t ntp
        size_t dlrr_count
        rt_span body

    bint rt_rtcp_next(rt_reader *datagram, rt_rtcp *out, rt_status *status)
    void rt_rtcp_write(rt_writer *out, uint8_t type, uint8_t count, rt_span body)
    rt_status rt_rtcp_report_read(const rt_rtcp *packet, rt_rtcp_report *out)
    void rt_rtcp_report_block(const rt_rtcp_report *report, uint8_t index, rt_rtcp_block *out)
    void rt_rtcp_write_report(rt_writer *out, const rt_rtcp_report *report, const rt_rtcp_block *blocks)
    bint rt_rtcp_sdes_next(const rt_rtcp *packet, uint64_t *at, rt_rtcp_item *out, rt_status *status)
    void rt_rtcp_write_sdes(rt_writer *out, const rt_rtcp_item *items, size_t count)
    rt_status rt_rtcp_bye_read(const rt_rtcp *packet, rt_span *sources, rt_span *reason)
    void rt_rtcp_write_bye(rt_writer *out, const uint32_t *sources, uint8_t count, rt_span reason)
    rt_status rt_rtcp_app_read(const rt_rtcp *packet, rt_rtcp_app *out)
    void rt_rtcp_write_app(rt_writer *out, uint8_t subtype, const rt_rtcp_app *app)
    rt_status rt_rtcp_feedback_read(const rt_rtcp *packet, rt_rtcp_feedback *out)
    size_t rt_rtcp_nack_read(const rt_rtcp_feedback *feedback, uint16_t *out, size_t max)
    size_t rt_rtcp_write_nack(
        rt_writer *out, uint32_t sender, uint32_t media, const uint16_t *sequences, size_t count
    )
    void rt_rtcp_write_pli(rt_writer *out, uint32_t sender, uint32_t media)
    size_t rt_rtcp_fir_count(const rt_rtcp_feedback *feedback)
    void rt_rtcp_fir_read(const rt_rtcp_feedback *feedback, size_t index, rt_rtcp_fir *out)
    void rt_rtcp_write_fir(rt_writer *out, uint32_t sender, const rt_rtcp_fir *entries, size_t count)
    rt_status rt_rtcp_remb_read(const rt_rtcp_feedback *feedback, rt_rtcp_remb *out)
    void rt_rtcp_write_remb(
        rt_writer *out, uint32_t sender, uint64_t bitrate, const uint32_t *sources, uint8_t count
    )
    rt_status rt_rtcp_twcc_read(const rt_rtcp_feedback *feedback, rt_rtcp_twcc *out)
    rt_status rt_rtcp_twcc_packets(const rt_rtcp_twcc *twcc, rt_twcc_packet *out)
    size_t rt_rtcp_write_twcc(
        rt_writer *out,
        uint32_t sender,
        uint32_t media,
        int32_t reference,
        uint8_t feedback,
        const rt_twcc_packet *packets,
        size_t count,
    )
    bint rt_rtcp_ccfb_next(
        const rt_rtcp_feedback *feedback, uint64_t *at, rt_ccfb_packet *out, rt_status *status
    )
    rt_status rt_rtcp_ccfb_timestamp(const rt_rtcp_feedback *feedback, uint32_t *timestamp)
    size_t rt_rtcp_write_ccfb(
        rt_writer *out, uint32_t sender, const rt_ccfb_packet *packets, size_t count, uint32_t timestamp
    )
    bint rt_rtcp_xr_next(const rt_rtcp *packet, size_t *at, rt_xr_block *out, rt_status *status)
    void rt_rtcp_xr_dlrr(const rt_xr_block *block, size_t index, rt_xr_dlrr *out)


cdef enum:
    COUNT_MAX = 31  # what five bits can say
    SIZE_MAX = 65536  # of what is written at once: more than any datagram
    FEW = 136  # sequence numbers of eight pairs


cdef rt_span span(bytes data):
    return rt_span_of(<const char *>data, len(data))


cdef bytes copied(rt_span data):
    return PyBytes_FromStringAndSize(<const char *>data.data, data.size)


cdef bytes to_bytes(object value, Py_ssize_t most, str what):
    """str as UTF-8, or any buffer; at most so many bytes."""
    raw = value.encode() if isinstance(value, str) else bytes(memoryview(value))
    if len(raw) > most:
        raise ValueError(f"{what} has at most {most} bytes, not {len(raw)}")
    return raw


cdef uint32_t to_ssrc(object value) except? 0xFFFFFFFF:
    return to_number(value, 0xFFFFFFFF, "an SSRC")


cdef tuple to_ssrcs(object values, Py_ssize_t most):
    cdef tuple ssrcs = tuple([to_ssrc(value) for value in values])
    if len(ssrcs) > most:
        raise ValueError(f"at most {most} SSRCs, not {len(ssrcs)}")
    return ssrcs


cdef tuple to_entries(object values, object kind, Py_ssize_t most):
    """A tuple of objects of that class (or classes), at most so many."""
    cdef tuple entries = tuple(values)
    for entry in entries:
        if not isinstance(entry, kind):
            raise TypeError(f"not what can stand here: {entry!r}")
    if len(entries) > most:
        raise ValueError(f"at most {most} entries, not {len(entries)}")
    return entries


cdef tuple loaded_ssrcs(rt_span sources):
    return tuple([rt_load32(sources.data + 4 * i) for i in range(sources.size // 4)])


cdef int check(rt_status status, str what) except -1:
    if status != RT_OK:
        raise ValueError(f"malformed {what}: {rt_status_text(status).decode()}")
    return 0


cdef void *memory(size_t count, size_t size) except NULL:
    cdef void *found = PyMem_Malloc(count * size)
    if found == NULL:
        raise MemoryError("no memory for a packet's entries")
    return found


cdef class _Value:
    """What packets and their parts share: they are equal where their fields are."""

    cdef tuple fields(self):
        return tuple([getattr(self, name) for name in type(self).__match_args__])

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return self.fields() == (<_Value>other).fields()

    def __hash__(self):
        return hash((type(self), self.fields()))

    def __repr__(self):
        pairs = zip(type(self).__match_args__, self.fields(), strict=True)
        return f"{type(self).__name__}({', '.join([f'{name}={value!r}' for name, value in pairs])})"


cdef class RtcpPacket(_Value):
    """The base of all packets. `bytes()` of one is its own serialization."""

    __match_args__ = ()

    def __init__(self):
        raise TypeError("use one of the packets' classes")

    cdef int write(self, rt_writer *w) except -1:
        raise NotImplementedError

    def __bytes__(self):
        return serialize([self])


@cython.final
@cython.no_gc
cdef class ReportBlock(_Value):
    """What a receiver reports of one source (RFC 3550 section 6.4.1)."""

    __match_args__ = ("ssrc", "fraction_lost", "lost", "highest", "jitter", "last_sr", "delay")

    cdef rt_rtcp_block block

    def __init__(self, ssrc, *, fraction_lost=0, lost=0, highest=0, jitter=0, last_sr=0, delay=0):
        self.block.ssrc = to_ssrc(ssrc)
        self.block.fraction_lost = to_number(fraction_lost, 255, "fraction_lost")
        self.block.lost = <int32_t>to_number(lost + 0x800000, 0xFFFFFF, "2^23 + lost") - 0x800000
        self.block.highest = to_number(highest, 0xFFFFFFFF, "highest")
        self.block.jitter = to_number(jitter, 0xFFFFFFFF, "jitter")
        self.block.last_sr = to_number(last_sr, 0xFFFFFFFF, "last_sr")
        self.block.delay = to_number(delay, 0xFFFFFFFF, "delay")

    @property
    def ssrc(self):
        """The source that it is about."""
        return self.block.ssrc

    @property
    def fraction_lost(self):
        """Of 256, since the report before."""
        return self.block.fraction_lost

    @property
    def lost(self):
        """Packets lost in all, 24 bits signed: duplicates can make it negative."""
        return self.block.lost

    @property
    def highest(self):
        """Highest sequence number, with the count of its turns in the upper 16 bits."""
        return self.block.highest

    @property
    def jitter(self):
        """Of the arrival times, in units of the codec's clock."""
        return self.block.jitter

    @property
    def last_sr(self):
        """The middle 32 bits of the last SR's NTP time; 0: none yet."""
        return self.block.last_sr

    @property
    def delay(self):
        """Since that one came, in units of 1/65536 s."""
        return self.block.delay


cdef tuple read_blocks(const rt_rtcp_report *report):
    cdef ReportBlock block
    cdef list blocks
    if report.blocks == 0:
        return ()
    blocks = []
    for i in range(report.blocks):
        block = ReportBlock.__new__(ReportBlock)
        rt_rtcp_report_block(report, i, &block.block)
        blocks.append(block)
    return tuple(blocks)


cdef int write_report(rt_writer *w, rt_rtcp_report *report, tuple blocks) except -1:
    cdef rt_rtcp_block found[COUNT_MAX]
    report.blocks = len(blocks)
    for i in range(report.blocks):
        found[i] = (<ReportBlock>blocks[i]).block
    rt_rtcp_write_report(w, report, found)
    return 0


@cython.final
@cython.no_gc
cdef class Sr(RtcpPacket):
    """Sender report (RFC 3550 section 6.4.1)."""

    __match_args__ = ("ssrc", "ntp", "rtp_time", "packets", "octets", "blocks")

    cdef rt_rtcp_report report
    cdef readonly tuple blocks

    def __init__(self, ssrc, *, ntp=0, rtp_time=0, packets=0, octets=0, blocks=()):
        """`blocks`: up to 31 of `ReportBlock`."""
        self.report.sender = True
        self.report.ssrc = to_ssrc(ssrc)
        self.report.ntp = to_number(ntp, 0xFFFFFFFFFFFFFFFF, "ntp")
        self.report.rtp_time = to_number(rtp_time, 0xFFFFFFFF, "rtp_time")
        self.report.packets = to_number(packets, 0xFFFFFFFF, "packets")
        self.report.bytes = to_number(octets, 0xFFFFFFFF, "octets")
        self.blocks = to_entries(blocks, ReportBlock, COUNT_MAX)

    cdef int write(self, rt_writer *w) except -1:
        return write_report(w, &self.report, self.blocks)

    @property
    def ssrc(self):
        """Of the sender."""
        return self.report.ssrc

    @property
    def ntp(self):
        """When it was sent, NTP time in 64 bits."""
        return self.report.ntp

    @property
    def rtp_time(self):
        """The same moment on the stream's RTP clock."""
        return self.report.rtp_time

    @property
    def packets(self):
        """Sent in all, modulo 2^32."""
        return self.report.packets

    @property
    def octets(self):
        """Payload sent in all, modulo 2^32."""
        return self.report.bytes


@cython.final
@cython.no_gc
cdef class Rr(RtcpPacket):
    """Receiver report (RFC 3550 section 6.4.2)."""

    __match_args__ = ("ssrc", "blocks")

    cdef readonly uint32_t ssrc
    cdef readonly tuple blocks

    def __init__(self, ssrc, blocks=()):
        """`blocks`: up to 31 of `ReportBlock`."""
        self.ssrc = to_ssrc(ssrc)
        self.blocks = to_entries(blocks, ReportBlock, COUNT_MAX)

    cdef int write(self, rt_writer *w) except -1:
        cdef rt_rtcp_report report
        report.ssrc = self.ssrc
        report.sender = False
        return write_report(w, &report, self.blocks)


@cython.final
@cython.no_gc
cdef class SdesItem(_Value):
    """One item of a source's description (RFC 3550 section 6.5): its type (1: CNAME) and text."""

    __match_args__ = ("ssrc", "type", "text")

    cdef readonly uint32_t ssrc
    cdef readonly uint8_t type
    cdef readonly bytes text

    def __init__(self, ssrc, type, text):
        """`type` 1 to 255; `text`: up to 255 bytes, str as UTF-8."""
        self.ssrc = to_ssrc(ssrc)
        self.type = to_number(type, 255, "the type of an item")
        if self.type == 0:
            raise ValueError("the type of an item is not 0, which ends the items")
        self.text = to_bytes(text, 255, "the text of an item")


@cython.final
@cython.no_gc
cdef class Sdes(RtcpPacket):
    """Source descriptions (RFC 3550 section 6.5): the items of all chunks. Chunks without items are passed
    over."""

    __match_args__ = ("items",)

    cdef readonly tuple items
    cdef uint8_t chunks

    def __init__(self, items=()):
        """`items`: of `SdesItem`; those of one source that follow each other make a chunk, of which there
        are up to 31."""
        cdef Py_ssize_t chunks = 0, i
        self.items = to_entries(items, SdesItem, SIZE_MAX)
        for i in range(len(self.items)):
            chunks += i == 0 or self.items[i].ssrc != self.items[i - 1].ssrc
        if chunks > COUNT_MAX:
            raise ValueError(f"at most {COUNT_MAX} chunks, not {chunks}")

    @staticmethod
    def cname(ssrc, name):
        """The packet that tells one source's canonical name."""
        return Sdes((SdesItem(ssrc, RT_SDES_CNAME, name),))

    cdef int write(self, rt_writer *w) except -1:
        cdef Py_ssize_t count = len(self.items), i
        cdef SdesItem item
        cdef rt_rtcp_item few[4]
        cdef rt_rtcp_item *items = few
        if count > 4:
            items = <rt_rtcp_item *>memory(count, sizeof(rt_rtcp_item))
        for i in range(count):
            item = self.items[i]
            items[i].ssrc = item.ssrc
            items[i].type = item.type
            items[i].text = span(item.text)
        rt_rtcp_write_sdes(w, items, count)
        if items != few:
            PyMem_Free(items)
        return 0


@cython.final
@cython.no_gc
cdef class Bye(RtcpPacket):
    """Sources leave (RFC 3550 section 6.6)."""

    __match_args__ = ("sources", "reason")

    cdef readonly tuple sources
    cdef readonly bytes reason

    def __init__(self, sources=(), reason=b""):
        """`sources`: up to 31 SSRCs; `reason`: up to 255 bytes, str as UTF-8."""
        self.sources = to_ssrcs(sources, COUNT_MAX)
        self.reason = to_bytes(reason, 255, "a reason")

    cdef int write(self, rt_writer *w) except -1:
        cdef uint32_t sources[COUNT_MAX]
        cdef Py_ssize_t count = len(self.sources), i
        for i in range(count):
            sources[i] = self.sources[i]
        rt_rtcp_write_bye(w, sources, count, span(self.reason))
        return 0


@cython.final
@cython.no_gc
cdef class App(RtcpPacket):
    """An application's own packet (RFC 3550 section 6.7)."""

    __match_args__ = ("ssrc", "name", "data", "subtype")

    cdef readonly uint32_t ssrc
    cdef readonly bytes name
    cdef readonly bytes data
    cdef readonly uint8_t subtype

    def __init__(self, ssrc, name, data=b"", *, subtype=0):
        """`name`: four bytes (or ASCII letters); `subtype` 0 to 31."""
        self.ssrc = to_ssrc(ssrc)
        self.name = to_bytes(name, 4, "a name")
        if len(self.name) != 4:
            raise ValueError(f"a name has 4 bytes, not {len(self.name)}")
        self.data = to_bytes(data, SIZE_MAX, "data")
        self.subtype = to_number(subtype, COUNT_MAX, "subtype")

    cdef int write(self, rt_writer *w) except -1:
        cdef rt_rtcp_app app
        app.ssrc = self.ssrc
        memcpy(app.name, <const char *>self.name, 4)
        app.data = span(self.data)
        rt_rtcp_write_app(w, self.subtype, &app)
        return 0


@cython.final
@cython.no_gc
cdef class Nack(RtcpPacket):
    """Asks for packets again (RFC 4585 section 6.2.1)."""

    __match_args__ = ("sender", "media", "lost")

    cdef readonly uint32_t sender
    cdef readonly uint32_t media
    cdef readonly tuple lost

    def __init__(self, sender, media, lost):
        """`lost`: sequence numbers, at least one, each once, in ascending order (65535 is followed by 0)."""
        self.sender = to_ssrc(sender)
        self.media = to_ssrc(media)
        self.lost = tuple([to_number(number, 0xFFFF, "a sequence number") for number in lost])
        if not self.lost:
            raise ValueError("a NACK has at least one sequence number")

    cdef int write(self, rt_writer *w) except -1:
        cdef Py_ssize_t count = len(self.lost), i
        cdef uint16_t few[FEW]
        cdef uint16_t *lost = few
        if count > FEW:
            lost = <uint16_t *>memory(count, sizeof(uint16_t))
        for i in range(count):
            lost[i] = self.lost[i]
        cdef size_t taken = rt_rtcp_write_nack(w, self.sender, self.media, lost, count)
        if lost != few:
            PyMem_Free(lost)
        return all_fit(taken == <size_t>count)


@cython.final
@cython.no_gc
cdef class Pli(RtcpPacket):
    """Asks for a key frame since pictures were lost (RFC 4585 section 6.3.1)."""

    __match_args__ = ("sender", "media")

    cdef readonly uint32_t sender
    cdef readonly uint32_t media

    def __init__(self, sender, media):
        self.sender = to_ssrc(sender)
        self.media = to_ssrc(media)

    cdef int write(self, rt_writer *w) except -1:
        rt_rtcp_write_pli(w, self.sender, self.media)
        return 0


@cython.final
@cython.no_gc
cdef class FirEntry(_Value):
    """A stream that should begin with a key frame, and the number of the request: the same one is not
    obeyed twice."""

    __match_args__ = ("ssrc", "sequence")

    cdef readonly uint32_t ssrc
    cdef readonly uint8_t sequence

    def __init__(self, ssrc, sequence):
        """`sequence` 0 to 255."""
        self.ssrc = to_ssrc(ssrc)
        self.sequence = to_number(sequence, 255, "sequence")


@cython.final
@cython.no_gc
cdef class Fir(RtcpPacket):
    """Full intra request (RFC 5104 section 4.3.1)."""

    __match_args__ = ("sender", "entries")

    cdef readonly uint32_t sender
    cdef readonly tuple entries

    def __init__(self, sender, entries):
        """`entries`: of `FirEntry`, at least one."""
        self.sender = to_ssrc(sender)
        self.entries = to_entries(entries, FirEntry, SIZE_MAX)
        if not self.entries:
            raise ValueError("a FIR has at least one entry")

    cdef int write(self, rt_writer *w) except -1:
        cdef Py_ssize_t count = len(self.entries), i
        cdef rt_rtcp_fir *entries = <rt_rtcp_fir *>memory(count, sizeof(rt_rtcp_fir))
        for i in range(count):
            entries[i].ssrc = (<FirEntry>self.entries[i]).ssrc
            entries[i].sequence = (<FirEntry>self.entries[i]).sequence
        rt_rtcp_write_fir(w, self.sender, entries, count)
        PyMem_Free(entries)
        return 0


@cython.final
@cython.no_gc
cdef class Remb(RtcpPacket):
    """Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03)."""

    __match_args__ = ("sender", "bitrate", "sources")

    cdef readonly uint32_t sender
    cdef readonly uint64_t bitrate
    cdef readonly tuple sources

    def __init__(self, sender, bitrate, sources=()):
        """`bitrate` in bit/s, written rounded down to 18 bits of mantissa; `sources`: up to 255 SSRCs."""
        self.sender = to_ssrc(sender)
        self.bitrate = to_number(bitrate, 0xFFFFFFFFFFFFFFFF, "bitrate")
        self.sources = to_ssrcs(sources, 255)

    cdef int write(self, rt_writer *w) except -1:
        cdef uint32_t sources[255]
        cdef Py_ssize_t count = len(self.sources), i
        for i in range(count):
            sources[i] = self.sources[i]
        rt_rtcp_write_remb(w, self.sender, self.bitrate, sources, count)
        return 0


@cython.final
@cython.no_gc
cdef class Twcc(RtcpPacket):
    """Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

    __match_args__ = ("sender", "media", "base", "reference", "feedback", "deltas")

    cdef readonly uint32_t sender
    cdef readonly uint32_t media
    cdef readonly uint16_t base
    cdef readonly int32_t reference
    cdef readonly uint8_t feedback
    cdef readonly tuple deltas

    def __init__(self, sender, media, *, base, reference, feedback, deltas):
        """`deltas` for the packets from sequence number `base` on, at least one: `None` for one that did
        not come, else the time since the one received before, in units of 250 us, 16 bits signed; of the
        first since `reference`, which counts 64 ms in 24 bits signed. `feedback`: number of this packet, 0
        to 255.
        """
        self.sender = to_ssrc(sender)
        self.media = to_ssrc(media)
        self.base = to_number(base, 0xFFFF, "base")
        self.reference = <int32_t>to_number(reference + 0x800000, 0xFFFFFF, "2^23 + reference") - 0x800000
        self.feedback = to_number(feedback, 255, "feedback")
        self.deltas = tuple(deltas)
        for delta in self.deltas:
            if delta is not None:
                to_number(delta + 0x8000, 0xFFFF, "2^15 + a delta")
        if not 0 < len(self.deltas) <= 0xFFFF:
            raise ValueError(f"feedback is about 1 to 65535 packets, not {len(self.deltas)}")

    @property
    def times(self):
        """When each packet came, in seconds of the receiver's clock, `None` for one that did not come."""
        cdef double now = self.reference * 0.064
        cdef list times = []
        for delta in self.deltas:
            if delta is not None:
                now += <int>delta * 0.00025
            times.append(None if delta is None else now)
        return tuple(times)

    cdef int write(self, rt_writer *w) except -1:
        cdef Py_ssize_t count = len(self.deltas), i
        cdef rt_twcc_packet *packets = <rt_twcc_packet *>memory(count, sizeof(rt_twcc_packet))
        for i in range(count):
            delta = self.deltas[i]
            packets[i].sequence = <uint16_t>(self.base + i)
            packets[i].received = delta is not None
            packets[i].delta = 0 if delta is None else delta
        cdef size_t taken = rt_rtcp_write_twcc(
            w, self.sender, self.media, self.reference, self.feedback, packets, count
        )
        PyMem_Free(packets)
        return all_fit(taken == <size_t>count)


@cython.final
@cython.no_gc
cdef class CcfbPacket(_Value):
    """What RFC 8888 tells of one packet. `offset`: how long before the report it came, in units of 1/1024 s;
    0x1FFE: that or longer, 0x1FFF: after the report. `ecn`: the two bits of its IP header."""

    __match_args__ = ("ssrc", "sequence", "received", "ecn", "offset")

    cdef rt_ccfb_packet packet

    def __init__(self, ssrc, sequence, received=True, *, ecn=0, offset=0):
        """`ecn` 0 to 3, `offset` 0 to 0x1FFF; both must be 0 of a packet that was not received."""
        self.packet.ssrc = to_ssrc(ssrc)
        self.packet.sequence = to_number(sequence, 0xFFFF, "sequence")
        self.packet.received = bool(received)
        self.packet.ecn = to_number(ecn, 3 if received else 0, "ecn")
        self.packet.offset = to_number(offset, 0x1FFF if received else 0, "offset")

    @property
    def ssrc(self):
        """Of the stream."""
        return self.packet.ssrc

    @property
    def sequence(self):
        """RTP sequence number."""
        return self.packet.sequence

    @property
    def received(self):
        """False: it did not come."""
        return bool(self.packet.received)

    @property
    def ecn(self):
        """Two bits of the IP header, 3: congestion experienced."""
        return self.packet.ecn

    @property
    def offset(self):
        """Arrival before the report, in units of 1/1024 s."""
        return self.packet.offset


@cython.final
@cython.no_gc
cdef class Ccfb(RtcpPacket):
    """Congestion control feedback (RFC 8888)."""

    __match_args__ = ("sender", "timestamp", "packets")

    cdef readonly uint32_t sender
    cdef readonly uint32_t timestamp
    cdef readonly tuple packets

    def __init__(self, sender, timestamp, packets=()):
        """`timestamp`: of the report, the middle 32 bits of NTP time. `packets`: of `CcfbPacket`, ordered
        by SSRC and sequence number; gaps cost 8 bytes."""
        self.sender = to_ssrc(sender)
        self.timestamp = to_number(timestamp, 0xFFFFFFFF, "timestamp")
        self.packets = to_entries(packets, CcfbPacket, SIZE_MAX)

    cdef int write(self, rt_writer *w) except -1:
        cdef Py_ssize_t count = len(self.packets), i
        if count == 0:
            rt_write32(w, <uint32_t>(0x80 | RT_RTPFB_CCFB) << 24 | <uint32_t>RT_RTCP_RTPFB << 16 | 2)
            rt_write32(w, self.sender)
            rt_write32(w, self.timestamp)
            return 0
        cdef rt_ccfb_packet *packets = <rt_ccfb_packet *>memory(count, sizeof(rt_ccfb_packet))
        for i in range(count):
            packets[i] = (<CcfbPacket>self.packets[i]).packet
        cdef size_t taken = rt_rtcp_write_ccfb(w, self.sender, packets, count, self.timestamp)
        PyMem_Free(packets)
        return all_fit(taken == <size_t>count)


@cython.final
@cython.no_gc
cdef class Rrtr(_Value):
    """Block of XR: the receiver's reference time (RFC 3611 section 4.4)."""

    __match_args__ = ("ntp",)

    cdef readonly uint64_t ntp

    def __init__(self, ntp):
        """NTP time in 64 bits."""
        self.ntp = to_number(ntp, 0xFFFFFFFFFFFFFFFF, "ntp")


@cython.final
@cython.no_gc
cdef class DlrrEntry(_Value):
    """Delay since the last RRTR of one receiver. `last_rr`: the middle 32 bits of its time; `delay` in
    units of 1/65536 s."""

    __match_args__ = ("ssrc", "last_rr", "delay")

    cdef readonly uint32_t ssrc
    cdef readonly uint32_t last_rr
    cdef readonly uint32_t delay

    def __init__(self, ssrc, last_rr, delay):
        self.ssrc = to_ssrc(ssrc)
        self.last_rr = to_number(last_rr, 0xFFFFFFFF, "last_rr")
        self.delay = to_number(delay, 0xFFFFFFFF, "delay")


@cython.final
@cython.no_gc
cdef class Dlrr(_Value):
    """Block of XR: delays since the last RRTR (RFC 3611 section 4.5)."""

    __match_args__ = ("entries",)

    cdef readonly tuple entries

    def __init__(self, entries):
        """`entries`: of `DlrrEntry`."""
        self.entries = to_entries(entries, DlrrEntry, 0xFFFF // 3)


@cython.final
@cython.no_gc
cdef class XrBlock(_Value):
    """Block of XR of another type, as it is."""

    __match_args__ = ("type", "specific", "data")

    cdef readonly uint8_t type
    cdef readonly uint8_t specific
    cdef readonly bytes data

    def __init__(self, type, specific, data):
        """`specific`: the byte behind the type. The length of `data` must be a multiple of 4."""
        self.type = to_number(type, 255, "the type of a block")
        if self.type in (RT_XR_RRTR, RT_XR_DLRR):
            raise ValueError("use Rrtr or Dlrr")
        self.specific = to_number(specific, 255, "specific")
        self.data = to_bytes(data, 4 * 0xFFFF, "data")
        if len(self.data) % 4:
            raise ValueError(f"a block has a multiple of 4 bytes, not {len(self.data)}")


@cython.final
@cython.no_gc
cdef class Xr(RtcpPacket):
    """Extended report (RFC 3611)."""

    __match_args__ = ("sender", "blocks")

    cdef readonly uint32_t sender
    cdef readonly tuple blocks

    def __init__(self, sender, blocks=()):
        """`blocks`: of `Rrtr`, `Dlrr` and `XrBlock`."""
        self.sender = to_ssrc(sender)
        self.blocks = to_entries(blocks, (Rrtr, Dlrr, XrBlock), SIZE_MAX)

    cdef int write(self, rt_writer *w) except -1:
        cdef size_t words = 1
        for block in self.blocks:
            words += block_words(block) + 1
        all_fit(words <= SIZE_MAX // 4 - 1)
        rt_write32(w, <uint32_t>0x80 << 24 | <uint32_t>RT_RTCP_XR << 16 | <uint32_t>words)
        rt_write32(w, self.sender)
        for block in self.blocks:
            write_block(w, block)
        return 0


cdef size_t block_words(object block):
    if isinstance(block, Rrtr):
        return 2
    if isinstance(block, Dlrr):
        return 3 * len((<Dlrr>block).entries)
    return len((<XrBlock>block).data) // 4


cdef void write_block(rt_writer *w, object block):
    cdef DlrrEntry entry
    if isinstance(block, XrBlock):
        rt_write8(w, (<XrBlock>block).type)
        rt_write8(w, (<XrBlock>block).specific)
    else:
        rt_write16(w, <uint16_t>((RT_XR_RRTR if isinstance(block, Rrtr) else RT_XR_DLRR) << 8))
    rt_write16(w, block_words(block))
    if isinstance(block, Rrtr):
        rt_write64(w, (<Rrtr>block).ntp)
    elif isinstance(block, Dlrr):
        for entry in (<Dlrr>block).entries:
            rt_write32(w, entry.ssrc)
            rt_write32(w, entry.last_rr)
            rt_write32(w, entry.delay)
    else:
        rt_write_span(w, span((<XrBlock>block).data))


@cython.final
@cython.no_gc
cdef class Unknown(RtcpPacket):
    """A packet of a type or format that has no class here, as it is, without padding."""

    __match_args__ = ("type", "count", "body")

    cdef readonly uint8_t type
    cdef readonly uint8_t count
    cdef readonly bytes body

    def __init__(self, type, count, body=b""):
        """`count`: the five bits of the first byte, that count things or tell the format. `body`: what stands
        behind the first word."""
        self.type = to_number(type, 255, "type")
        self.count = to_number(count, COUNT_MAX, "count")
        self.body = to_bytes(body, SIZE_MAX, "body")

    cdef int write(self, rt_writer *w) except -1:
        rt_rtcp_write(w, self.type, self.count, span(self.body))
        return 0


cdef int all_fit(bint fits) except -1:
    if not fits:
        raise ValueError(f"the packets do not fit into {SIZE_MAX} bytes")
    return 0


# Reading, a function for each kind of packet.

cdef Sr read_sr(const rt_rtcp *packet):
    cdef Sr sr = Sr.__new__(Sr)
    check(rt_rtcp_report_read(packet, &sr.report), "SR")
    sr.blocks = read_blocks(&sr.report)
    return sr


cdef Rr read_rr(const rt_rtcp *packet):
    cdef rt_rtcp_report report
    cdef Rr rr = Rr.__new__(Rr)
    check(rt_rtcp_report_read(packet, &report), "RR")
    rr.ssrc = report.ssrc
    rr.blocks = read_blocks(&report)
    return rr


cdef Sdes read_sdes(const rt_rtcp *packet):
    cdef uint64_t at = 0
    cdef rt_rtcp_item found
    cdef rt_status status = RT_OK
    cdef SdesItem item
    cdef list items = []
    cdef Sdes sdes = Sdes.__new__(Sdes)
    while rt_rtcp_sdes_next(packet, &at, &found, &status):
        item = SdesItem.__new__(SdesItem)
        item.ssrc = found.ssrc
        item.type = found.type
        item.text = copied(found.text)
        items.append(item)
    check(status, "SDES")
    sdes.items = tuple(items)
    return sdes


cdef Bye read_bye(const rt_rtcp *packet):
    cdef rt_span sources, reason
    cdef Bye bye = Bye.__new__(Bye)
    check(rt_rtcp_bye_read(packet, &sources, &reason), "BYE")
    bye.sources = loaded_ssrcs(sources)
    bye.reason = copied(reason)
    return bye


cdef App read_app(const rt_rtcp *packet):
    cdef rt_rtcp_app found
    cdef App app = App.__new__(App)
    check(rt_rtcp_app_read(packet, &found), "APP")
    app.ssrc = found.ssrc
    app.name = found.name[:4]
    app.data = copied(found.data)
    app.subtype = packet.count
    return app


cdef Nack read_nack(const rt_rtcp_feedback *feedback):
    cdef uint16_t few[FEW]
    cdef uint16_t *lost = few
    cdef size_t count = rt_rtcp_nack_read(feedback, few, FEW)
    cdef Nack nack = Nack.__new__(Nack)
    if count == 0:
        raise ValueError("malformed NACK: it names no packet")
    if count > FEW:
        lost = <uint16_t *>memory(count, sizeof(uint16_t))
        rt_rtcp_nack_read(feedback, lost, count)
    try:
        nack.sender = feedback.sender
        nack.media = feedback.media
        nack.lost = tuple([lost[i] for i in range(count)])
    finally:
        if lost != few:
            PyMem_Free(lost)
    return nack


cdef Pli read_pli(const rt_rtcp_feedback *feedback):
    cdef Pli pli = Pli.__new__(Pli)
    pli.sender = feedback.sender
    pli.media = feedback.media
    return pli


cdef Fir read_fir(const rt_rtcp_feedback *feedback):
    cdef rt_rtcp_fir found
    cdef FirEntry entry
    cdef list entries = []
    cdef Fir fir = Fir.__new__(Fir)
    for i in range(rt_rtcp_fir_count(feedback)):
        rt_rtcp_fir_read(feedback, i, &found)
        entry = FirEntry.__new__(FirEntry)
        entry.ssrc = found.ssrc
        entry.sequence = found.sequence
        entries.append(entry)
    if not entries:
        raise ValueError("malformed FIR: it names no stream")
    fir.sender = feedback.sender
    fir.entries = tuple(entries)
    return fir


cdef RtcpPacket read_afb(const rt_rtcp *packet, const rt_rtcp_feedback *feedback):
    cdef rt_rtcp_remb found
    cdef Remb remb
    cdef rt_status status = rt_rtcp_remb_read(feedback, &found)
    if status == RT_UNSUPPORTED:
        return read_unknown(packet)
    check(status, "REMB")
    remb = Remb.__new__(Remb)
    remb.sender = feedback.sender
    remb.bitrate = found.bitrate
    remb.sources = loaded_ssrcs(found.sources)
    return remb


cdef Twcc read_twcc(const rt_rtcp_feedback *feedback):
    cdef rt_rtcp_twcc found
    cdef rt_twcc_packet *packets
    cdef Twcc twcc = Twcc.__new__(Twcc)
    check(rt_rtcp_twcc_read(feedback, &found), "transport-wide feedback")
    packets = <rt_twcc_packet *>memory(found.count, sizeof(rt_twcc_packet))
    try:
        check(rt_rtcp_twcc_packets(&found, packets), "transport-wide feedback")
        twcc.sender = feedback.sender
        twcc.media = feedback.media
        twcc.base = found.base
        twcc.reference = found.reference
        twcc.feedback = found.feedback
        twcc.deltas = tuple([packets[i].delta if packets[i].received else None for i in range(found.count)])
    finally:
        PyMem_Free(packets)
    return twcc


cdef Ccfb read_ccfb(const rt_rtcp_feedback *feedback):
    cdef uint64_t at = 0
    cdef rt_status status = RT_OK
    cdef rt_ccfb_packet found
    cdef CcfbPacket packet
    cdef list packets = []
    cdef Ccfb ccfb = Ccfb.__new__(Ccfb)
    check(rt_rtcp_ccfb_timestamp(feedback, &ccfb.timestamp), "congestion control feedback")
    while rt_rtcp_ccfb_next(feedback, &at, &found, &status):
        packet = CcfbPacket.__new__(CcfbPacket)
        packet.packet = found
        packets.append(packet)
    check(status, "congestion control feedback")
    ccfb.sender = feedback.sender
    ccfb.packets = tuple(packets)
    return ccfb


cdef object read_block(const rt_xr_block *found):
    cdef Rrtr rrtr
    cdef Dlrr dlrr
    cdef DlrrEntry entry
    cdef XrBlock other
    cdef rt_xr_dlrr one
    cdef list entries
    if found.type == RT_XR_RRTR:
        rrtr = Rrtr.__new__(Rrtr)
        rrtr.ntp = found.ntp
        return rrtr
    if found.type == RT_XR_DLRR:
        entries = []
        for i in range(found.dlrr_count):
            rt_rtcp_xr_dlrr(found, i, &one)
            entry = DlrrEntry.__new__(DlrrEntry)
            entry.ssrc = one.ssrc
            entry.last_rr = one.last_rr
            entry.delay = one.delay
            entries.append(entry)
        dlrr = Dlrr.__new__(Dlrr)
        dlrr.entries = tuple(entries)
        return dlrr
    other = XrBlock.__new__(XrBlock)
    other.type = found.type
    other.specific = found.specific
    other.data = copied(found.body)
    return other


cdef Xr read_xr(const rt_rtcp *packet):
    cdef size_t at = 0
    cdef rt_status status = RT_OK
    cdef rt_xr_block found
    cdef list blocks = []
    cdef Xr xr = Xr.__new__(Xr)
    while rt_rtcp_xr_next(packet, &at, &found, &status):
        blocks.append(read_block(&found))
    check(status, "XR")
    xr.sender = rt_load32(packet.body.data)
    xr.blocks = tuple(blocks)
    return xr


cdef Unknown read_unknown(const rt_rtcp *packet):
    cdef Unknown unknown = Unknown.__new__(Unknown)
    unknown.type = packet.type
    unknown.count = packet.count
    unknown.body = copied(packet.body)
    return unknown


cdef RtcpPacket read_feedback(const rt_rtcp *packet):
    cdef rt_rtcp_feedback feedback
    check(rt_rtcp_feedback_read(packet, &feedback), "feedback")
    if packet.type == RT_RTCP_RTPFB:
        if packet.count == RT_RTPFB_NACK:
            return read_nack(&feedback)
        if packet.count == RT_RTPFB_TWCC:
            return read_twcc(&feedback)
        if packet.count == RT_RTPFB_CCFB:
            return read_ccfb(&feedback)
    else:
        if packet.count == RT_PSFB_PLI:
            return read_pli(&feedback)
        if packet.count == RT_PSFB_FIR:
            return read_fir(&feedback)
        if packet.count == RT_PSFB_AFB:
            return read_afb(packet, &feedback)
    return read_unknown(packet)


cdef RtcpPacket read_packet(const rt_rtcp *packet):
    if packet.type == RT_RTCP_SR:
        return read_sr(packet)
    if packet.type == RT_RTCP_RR:
        return read_rr(packet)
    if packet.type == RT_RTCP_SDES:
        return read_sdes(packet)
    if packet.type == RT_RTCP_RTPFB or packet.type == RT_RTCP_PSFB:
        return read_feedback(packet)
    if packet.type == RT_RTCP_BYE:
        return read_bye(packet)
    if packet.type == RT_RTCP_XR:
        return read_xr(packet)
    if packet.type == RT_RTCP_APP:
        return read_app(packet)
    return read_unknown(packet)


def parse_compound(data):
    """The packets of a datagram, compound or of reduced size (RFC 5506). `ValueError` if one is malformed."""
    cdef Py_buffer view
    cdef rt_reader reader
    cdef rt_rtcp packet
    cdef rt_status status = RT_OK
    cdef list packets = []
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        reader = rt_reader_of(rt_span_of(view.buf, view.len))
        while rt_rtcp_next(&reader, &packet, &status):
            packets.append(read_packet(&packet))
        check(status, "RTCP packet")
    finally:
        PyBuffer_Release(&view)
    return packets


def serialize(packets):
    """The packets one after the other as one datagram. `ValueError` beyond 65,536 bytes."""
    cdef uint8_t room[SIZE_MAX]
    cdef rt_writer w = rt_writer_of(rt_buffer_of(room, SIZE_MAX))
    cdef RtcpPacket packet
    for packet in packets:
        if packet is None:
            raise TypeError("None is no packet")
        packet.write(&w)
        all_fit(rt_writer_ok(&w))
    return PyBytes_FromStringAndSize(<const char *>room, rt_writer_size(&w))
