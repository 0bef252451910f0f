# cython: language_level=3
"""RTP packets (RFC 3550 section 5) with header extensions (RFC 8285): one as an object, many as a numpy
array.

`RtpPacket.parse()` reads a datagram, `serialize()` writes one; an `ExtensionMap` says which id stands for
which extension (a=extmap). `parse_batch()` reads thousands of packets into one structured array, without
the GIL.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from rtcore.native.base cimport (
    RT_NOT_FOUND,
    RT_OK,
    Spans,
    rt_buffer_of,
    rt_span,
    rt_span_of,
    rt_status,
    rt_status_text,
    rt_writer,
    rt_writer_of,
    spans_of,
    to_number,
)

import enum
import math

import numpy


cdef extern from "wire/rtp_batch.h" nogil:
    ctypedef struct rt_rtp_row:
        pass

    size_t rt_rtp_read_rows(
        const rt_span *packets,
        size_t count,
        const rt_rtp_extension_map *map,
        const uint8_t *origin,
        rt_rtp_row *out,
    )


cdef object SECOND = 10**9
cdef object EPOCH = 2208988800 * SECOND  # from 1900, where NTP begins, to 1970


DTYPE = numpy.dtype(
    [
        ("capture_time", "u8"),
        ("capture_offset", "i8"),
        ("timestamp", "u4"),
        ("ssrc", "u4"),
        ("payload_offset", "u4"),
        ("payload_size", "u4"),
        ("present", "u4"),
        ("abs_send_time", "u4"),
        ("descriptor_offset", "u4"),
        ("descriptor_size", "u4"),
        ("sequence", "u2"),
        ("transport_sequence", "u2"),
        ("playout_min", "u2"),
        ("playout_max", "u2"),
        ("valid", "?"),
        ("payload_type", "u1"),
        ("marker", "?"),
        ("padding", "u1"),
        ("csrc_count", "u1"),
        ("voice", "?"),
        ("audio_level", "i1"),
        ("orientation", "u1"),
        ("mid", "S16"),
        ("rid", "S16"),
        ("repaired_rid", "S16"),
    ]
)


class Extension(enum.IntEnum):
    """What header extensions are for."""

    MID = 0
    RID = 1
    REPAIRED_RID = 2
    AUDIO_LEVEL = 3
    ABS_SEND_TIME = 4
    TRANSPORT_SEQUENCE = 5
    VIDEO_ORIENTATION = 6
    PLAYOUT_DELAY = 7
    ABS_CAPTURE_TIME = 8
    DEPENDENCY_DESCRIPTOR = 9

    @property
    def uri(self):
        """Its name in a=extmap."""
        return rt_rtp_extension_uri(<rt_rtp_extension><int>self.value).decode()

    @property
    def bit(self):
        """Its bit in the field `present` of `DTYPE`."""
        return 1 << self.value


cdef rt_span span(bytes data):
    return rt_span_of(<const char *>data, len(data))


cdef bytes copied(rt_span data):
    return PyBytes_FromStringAndSize(<const char *>data.data, data.size)


cdef bytes to_bytes(object value):
    return value if type(value) is bytes else bytes(memoryview(value))


cdef int check(rt_status status, str what) except -1:
    if status != RT_OK:
        raise ValueError(f"{what}: {rt_status_text(status).decode()}")
    return 0


def is_rtcp(data):
    """Whether a datagram of RTP or RTCP is RTCP, by its second byte (RFC 5761 section 4)."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    found = rt_is_rtcp(rt_span_of(view.buf, view.len))
    PyBuffer_Release(&view)
    return bool(found)


def to_ntp(seconds):
    """NTP time in 64 bits (RFC 3550 section 4) of seconds since 1970, as `time.time()` has them.

    `ValueError` before 1900 or after 2036.
    """
    whole = math.floor(seconds)
    nanoseconds = EPOCH + whole * SECOND + round((seconds - whole) * 1e9)
    if not 0 <= nanoseconds < SECOND << 32:
        raise ValueError(f"NTP time reaches from 1900 to 2036: {seconds!r}")
    return rt_ntp_from_ns(nanoseconds)


def from_ntp(ntp):
    """Seconds since 1970 of an NTP time in 64 bits."""
    cdef object nanoseconds = rt_ntp_to_ns(to_number(ntp, 0xFFFFFFFFFFFFFFFF, "an NTP time"))
    return (nanoseconds - EPOCH) / SECOND


@cython.final
cdef class ExtensionMap:
    """Which id stands for which header extension (a=extmap). Immutable."""

    cdef rt_rtp_extension_map map

    def __init__(self, ids):
        """`ids`: the id, 1 to 14 or 16 to 255, for each extension, by `Extension` or URI; URIs that are not
        known are passed over. `ValueError` for an id out of range or taken twice.
        """
        cdef rt_rtp_extension extension
        cdef bytes uri
        memset(&self.map, 0, sizeof(self.map))
        for key, id in ids.items():
            if isinstance(key, str):
                uri = key.encode()
                extension = rt_rtp_extension_of(span(uri))
                if extension == RT_RTP_EXTENSIONS:
                    continue
            else:
                extension = <rt_rtp_extension><int>Extension(key).value
            check(
                rt_rtp_extension_map_set(&self.map, extension, to_number(id, 255, "the id of an extension")),
                f"id {id} of a header extension",
            )

    @property
    def ids(self):
        """The known extensions with their ids."""
        return {extension: self.map.id[<int>extension.value] for extension in Extension
                if self.map.id[<int>extension.value]}

    def __eq__(self, other):
        return self.ids == other.ids if isinstance(other, ExtensionMap) else NotImplemented

    def __hash__(self):
        return hash(frozenset(self.ids.items()))

    def __repr__(self):
        return f"ExtensionMap({self.ids!r})"


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class RtpPacket:
    """One RTP packet. Its fields can be set; `ValueError` for what does not fit them.

    The values of header extensions are attributes, `None` where the packet has not the extension. They need
    an `ExtensionMap`, given to `parse()` or `serialize()`. Without one the extension block stays as it
    came.
    """

    cdef rt_rtp rtp
    cdef rt_rtp_values values
    cdef ExtensionMap map
    cdef bytes data  # what was parsed; the spans of `rtp` and `values` lie in it, or in one of those below
    cdef bytes own_payload
    cdef bytes own_csrcs
    cdef bytes own_block
    cdef bytes own_descriptor

    def __init__(
        self,
        payload=b"",
        *,
        payload_type=0,
        sequence=0,
        timestamp=0,
        ssrc=0,
        marker=False,
        csrcs=(),
        padding=0,
        extensions=None,
    ):
        """A packet of one's own. `extensions`: the `ExtensionMap` that `serialize()` is to use."""
        memset(&self.rtp, 0, sizeof(self.rtp))
        memset(&self.values, 0, sizeof(self.values))
        self.map = extensions
        self.payload = payload
        self.payload_type = payload_type
        self.sequence = sequence
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.marker = marker
        self.csrcs = csrcs
        self.padding = padding

    @staticmethod
    def parse(data, ExtensionMap extensions=None):
        """Reads one datagram. `ValueError` when it is malformed, or its extension block is and `extensions`
        are given."""
        cdef RtpPacket self = RtpPacket.__new__(RtpPacket)
        self.data = data if PyBytes_CheckExact(data) else bytes(memoryview(data))
        cdef rt_span datagram = rt_span_of(PyBytes_AS_STRING(self.data), PyBytes_GET_SIZE(self.data))
        if rt_rtp_parse(datagram, &self.rtp) != RT_OK:
            raise ValueError("not an RTP packet: its header, extensions or padding do not fit")
        if extensions is not None:
            self.map = extensions
            if rt_rtp_read_values(&self.rtp, &extensions.map, &self.values) != RT_OK:
                raise ValueError("malformed RTP packet: a header extension leaves its block")
        return self

    def serialize(self, ExtensionMap extensions=None):
        """The packet's bytes, padding included.

        With `extensions`, or those that it was parsed with, the extension block is made of the packet's
        values that have an id there; without, it is the block that it came with. `ValueError` if it has
        values and there are no ids for any.
        """
        cdef rt_writer writer
        cdef const rt_rtp_extension_map *map = NULL
        cdef const rt_rtp_values *values = NULL
        if extensions is None:
            extensions = self.map
        if extensions is not None:
            map = &extensions.map
            values = &self.values
        elif self.values.present:
            raise ValueError("an ExtensionMap is needed to write the values of header extensions")
        cdef size_t header = rt_rtp_header_size(&self.rtp, map, values)
        cdef size_t size = header + self.rtp.payload.size + self.rtp.padding
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef char *p = PyBytes_AS_STRING(out)
        writer = rt_writer_of(rt_buffer_of(p, header))
        check(rt_rtp_write_header(&writer, &self.rtp, map, values), "writing an RTP packet")
        if self.rtp.payload.size:
            memcpy(p + header, self.rtp.payload.data, self.rtp.payload.size)
        if self.rtp.padding:
            memset(p + size - self.rtp.padding, 0, self.rtp.padding)
            (<uint8_t *>p)[size - 1] = self.rtp.padding
        return out

    def unwrap_rtx(self, *, ssrc, payload_type):
        """The original packet that this one, of a retransmission stream (RFC 4588), carries: of `ssrc` and
        `payload_type`, with the sequence number from the payload. `ValueError` for a payload too short.
        """
        cdef RtpPacket original = RtpPacket.__new__(RtpPacket)
        original.rtp = self.rtp
        original.values = self.values
        original.map = self.map
        original.data = self.data
        original.own_payload = self.own_payload
        original.own_csrcs = self.own_csrcs
        original.own_block = self.own_block
        original.own_descriptor = self.own_descriptor
        check(
            rt_rtx_unwrap(
                &original.rtp,
                to_number(ssrc, 0xFFFFFFFF, "ssrc"),
                to_number(payload_type, 127, "payload_type"),
            ),
            "a retransmitted packet",
        )
        return original

    def __bytes__(self):
        return self.serialize()

    def __eq__(self, other):
        return self.serialize() == other.serialize() if isinstance(other, RtpPacket) else NotImplemented

    __hash__ = None

    def __repr__(self):
        return (
            f"<RtpPacket {self.rtp.ssrc:#010x} payload type {self.rtp.payload_type} sequence "
            f"{self.rtp.sequence} timestamp {self.rtp.timestamp}{' marker' if self.rtp.marker else ''}, "
            f"{self.rtp.payload.size} bytes>"
        )

    @property
    def payload_type(self):
        """0 to 127."""
        return self.rtp.payload_type

    @payload_type.setter
    def payload_type(self, value):
        self.rtp.payload_type = to_number(value, 127, "payload_type")

    @property
    def sequence(self):
        """Sequence number, 16 bits."""
        return self.rtp.sequence

    @sequence.setter
    def sequence(self, value):
        self.rtp.sequence = to_number(value, 0xFFFF, "sequence")

    @property
    def timestamp(self):
        """In units of the codec's clock, 32 bits."""
        return self.rtp.timestamp

    @timestamp.setter
    def timestamp(self, value):
        self.rtp.timestamp = to_number(value, 0xFFFFFFFF, "timestamp")

    @property
    def ssrc(self):
        """The stream's source, 32 bits."""
        return self.rtp.ssrc

    @ssrc.setter
    def ssrc(self, value):
        self.rtp.ssrc = to_number(value, 0xFFFFFFFF, "ssrc")

    @property
    def marker(self):
        """Most often: the last packet of a picture, the first one of a talk spurt."""
        return bool(self.rtp.marker)

    @marker.setter
    def marker(self, value):
        self.rtp.marker = bool(value)

    @property
    def csrcs(self):
        """The contributing sources, up to 15."""
        cdef const uint8_t *p = self.rtp.csrcs.data
        return tuple([int.from_bytes(p[4 * i : 4 * i + 4], "big") for i in range(self.rtp.csrc_count)])

    @csrcs.setter
    def csrcs(self, value):
        cdef tuple sources = tuple(value)
        if len(sources) > RT_RTP_CSRCS_MAX:
            raise ValueError(f"a packet has at most {RT_RTP_CSRCS_MAX} CSRCs, not {len(sources)}")
        numbers = [to_number(source, 0xFFFFFFFF, "a CSRC") for source in sources]
        self.own_csrcs = b"".join([number.to_bytes(4, "big") for number in numbers])
        self.rtp.csrcs = span(self.own_csrcs)
        self.rtp.csrc_count = len(sources)

    @property
    def padding(self):
        """Bytes behind the payload with the one that counts them; 0: none."""
        return self.rtp.padding

    @padding.setter
    def padding(self, value):
        self.rtp.padding = to_number(value, 255, "padding")

    @property
    def payload(self):
        """The payload without padding, as bytes; any buffer can be set."""
        return copied(self.rtp.payload)

    @payload.setter
    def payload(self, value):
        self.own_payload = to_bytes(value)
        self.rtp.payload = span(self.own_payload)

    @property
    def block(self):
        """(profile, content) of the extension block as it came, without its four bytes of header; None
        without. When it is set its length must be a multiple of four."""
        if self.rtp.extensions.data == NULL:
            return None
        return self.rtp.profile, copied(self.rtp.extensions)

    @block.setter
    def block(self, value):
        cdef bytes content
        if value is None:
            self.rtp.profile = 0
            self.rtp.extensions = rt_span_of(NULL, 0)
            return
        profile, data = value
        content = to_bytes(data)
        if len(content) % 4 or len(content) > 4 * 0xFFFF:
            raise ValueError(f"an extension block has a multiple of 4 bytes up to 262140, not {len(content)}")
        self.rtp.profile = to_number(profile, 0xFFFF, "the profile of an extension block")
        self.own_block = content
        self.rtp.extensions = span(content)

    @property
    def elements(self):
        """(id, value) of each element of the extension block as it came; `ValueError` where one leaves it."""
        cdef size_t at = 0
        cdef uint8_t id = 0
        cdef rt_span value
        cdef rt_status status
        cdef list found = []
        while True:
            status = rt_rtp_next_element(&self.rtp, &at, &id, &value)
            if status == RT_NOT_FOUND:
                return tuple(found)
            check(status, "a header extension")
            found.append((id, copied(value)))

    # The values of header extensions.

    cdef bint has(self, rt_rtp_extension extension):
        return self.values.present >> <uint32_t>extension & 1

    cdef void mark(self, rt_rtp_extension extension, bint there):
        cdef uint32_t bit = <uint32_t>1 << <uint32_t>extension
        self.values.present = self.values.present | bit if there else self.values.present & ~bit

    cdef str text(self, rt_rtp_extension extension, const rt_rtp_text *text):
        if not self.has(extension):
            return None
        return text.data[: text.size].decode("utf-8", "replace")

    cdef int set_text(self, rt_rtp_extension extension, rt_rtp_text *text, object value, str name) except -1:
        cdef bytes raw = b"" if value is None else value.encode()
        if value is not None and not 1 <= len(raw) <= RT_RTP_TEXT_MAX:
            raise ValueError(f"{name} has 1 to {RT_RTP_TEXT_MAX} bytes, not {len(raw)}")
        text.size = len(raw)
        memcpy(text.data, <const char *>raw, len(raw))
        self.mark(extension, value is not None)
        return 0

    @property
    def extensions(self):
        """The `ExtensionMap` that it was parsed or made with."""
        return self.map

    @property
    def mid(self):
        """Identification of the media section (RFC 9143), 1 to 16 bytes."""
        return self.text(RT_RTP_MID, &self.values.mid)

    @mid.setter
    def mid(self, value):
        self.set_text(RT_RTP_MID, &self.values.mid, value, "mid")

    @property
    def rid(self):
        """Identification of the encoding (RFC 8852), 1 to 16 bytes."""
        return self.text(RT_RTP_RID, &self.values.rid)

    @rid.setter
    def rid(self, value):
        self.set_text(RT_RTP_RID, &self.values.rid, value, "rid")

    @property
    def repaired_rid(self):
        """Identification of the encoding that a retransmission stream repairs (RFC 8852), 1 to 16 bytes."""
        return self.text(RT_RTP_REPAIRED_RID, &self.values.repaired_rid)

    @repaired_rid.setter
    def repaired_rid(self, value):
        self.set_text(RT_RTP_REPAIRED_RID, &self.values.repaired_rid, value, "repaired_rid")

    @property
    def audio_level(self):
        """In dBov, -127 (silence) to 0 (RFC 6464)."""
        return -<int>self.values.audio_level if self.has(RT_RTP_AUDIO_LEVEL) else None

    @audio_level.setter
    def audio_level(self, value):
        if value is not None:
            self.values.audio_level = to_number(-value, 127, "the negative of audio_level")
        self.mark(RT_RTP_AUDIO_LEVEL, value is not None)

    @property
    def voice(self):
        """Whether the audio holds voice; goes with `audio_level`."""
        return bool(self.values.voice)

    @voice.setter
    def voice(self, value):
        self.values.voice = bool(value)

    @property
    def abs_send_time(self):
        """When it was sent: 24 bits, in seconds with 18 bits of fraction, once around in 64 seconds."""
        return self.values.abs_send_time if self.has(RT_RTP_ABS_SEND_TIME) else None

    @abs_send_time.setter
    def abs_send_time(self, value):
        if value is not None:
            self.values.abs_send_time = to_number(value, 0xFFFFFF, "abs_send_time")
        self.mark(RT_RTP_ABS_SEND_TIME, value is not None)

    @property
    def transport_sequence(self):
        """Sequence number for transport-wide feedback, 16 bits."""
        return self.values.transport_sequence if self.has(RT_RTP_TRANSPORT_SEQUENCE) else None

    @transport_sequence.setter
    def transport_sequence(self, value):
        if value is not None:
            self.values.transport_sequence = to_number(value, 0xFFFF, "transport_sequence")
        self.mark(RT_RTP_TRANSPORT_SEQUENCE, value is not None)

    @property
    def orientation(self):
        """Camera, flip and rotation of the video: the byte 0000CFRR of 3GPP TS 26.114."""
        return self.values.orientation if self.has(RT_RTP_VIDEO_ORIENTATION) else None

    @orientation.setter
    def orientation(self, value):
        if value is not None:
            self.values.orientation = to_number(value, 255, "orientation")
        self.mark(RT_RTP_VIDEO_ORIENTATION, value is not None)

    @property
    def playout_delay(self):
        """(minimum, maximum) in units of 10 ms, each up to 4095."""
        if not self.has(RT_RTP_PLAYOUT_DELAY):
            return None
        return self.values.playout_min, self.values.playout_max

    @playout_delay.setter
    def playout_delay(self, value):
        if value is not None:
            least, most = value
            least, most = to_number(least, 4095, "playout_delay"), to_number(most, 4095, "playout_delay")
            self.values.playout_min = least
            self.values.playout_max = most
        self.mark(RT_RTP_PLAYOUT_DELAY, value is not None)

    @property
    def capture_time(self):
        """When it was captured, by the NTP clock of who captured it, 64 bits."""
        return self.values.capture_time if self.has(RT_RTP_ABS_CAPTURE_TIME) else None

    @capture_time.setter
    def capture_time(self, value):
        if value is not None:
            self.values.capture_time = to_number(value, 0xFFFFFFFFFFFFFFFF, "capture_time")
        self.mark(RT_RTP_ABS_CAPTURE_TIME, value is not None)

    @property
    def capture_offset(self):
        """What the capturing clock is ahead of the sender's, in units of 2^-32 s, signed; goes with
        `capture_time`."""
        there = self.has(RT_RTP_ABS_CAPTURE_TIME) and self.values.present & RT_RTP_CAPTURE_OFFSET
        return self.values.capture_offset if there else None

    @capture_offset.setter
    def capture_offset(self, value):
        if value is None:
            self.values.present &= ~RT_RTP_CAPTURE_OFFSET
            return
        self.values.capture_offset = <int64_t>(
            to_number(value + 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, "2^63 + capture_offset")
            ^ <uint64_t>0x8000000000000000
        )
        self.values.present |= RT_RTP_CAPTURE_OFFSET

    @property
    def dependency_descriptor(self):
        """The dependency descriptor of AV1's RTP format, 1 to 255 bytes as they are."""
        return copied(self.values.dependency_descriptor) if self.has(RT_RTP_DEPENDENCY_DESCRIPTOR) else None

    @dependency_descriptor.setter
    def dependency_descriptor(self, value):
        cdef bytes raw
        if value is not None:
            raw = to_bytes(value)
            if not 1 <= len(raw) <= 255:
                raise ValueError(f"a dependency descriptor has 1 to 255 bytes, not {len(raw)}")
            self.own_descriptor = raw
            self.values.dependency_descriptor = span(raw)
        self.mark(RT_RTP_DEPENDENCY_DESCRIPTOR, value is not None)


cdef object whole_numbers(object values, str name):
    """As a flat array of int64; an unsigned number beyond it becomes negative."""
    array = numpy.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"{name} are one-dimensional whole numbers")
    return numpy.ascontiguousarray(array, dtype=numpy.int64)


cdef object table(object out, Py_ssize_t count):
    if out is None:
        return numpy.empty(count, DTYPE)
    if not isinstance(out, numpy.ndarray) or out.dtype != DTYPE or out.ndim != 1 or len(out) < count:
        raise ValueError(f"out must be a one-dimensional array of DTYPE with room for {count} rows")
    return out[:count]


cdef int read_rows(
    const rt_span *spans, Py_ssize_t count, ExtensionMap extensions, const uint8_t *origin, object rows
) except -1:
    cdef Py_buffer view
    cdef const rt_rtp_extension_map *map = NULL if extensions is None else &extensions.map
    PyObject_GetBuffer(rows, &view, PyBUF_WRITABLE)
    try:
        if <size_t>view.len != count * sizeof(rt_rtp_row):
            raise ValueError("DTYPE is not what the core writes")
        with nogil:
            rt_rtp_read_rows(spans, count, map, origin, <rt_rtp_row *>view.buf)
    finally:
        PyBuffer_Release(&view)
    return 0


cdef object read_many(object packets, ExtensionMap extensions, object out):
    """One buffer for each packet."""
    cdef Spans row = spans_of(packets)
    cdef const rt_span *spans = row.spans
    cdef Py_ssize_t i
    cdef size_t bits = 0
    for i in range(row.count):
        bits |= spans[i].size
    if bits > 0xFFFFFFFF:
        raise ValueError("a packet has less than 4 GB")
    rows = table(out, row.count)
    read_rows(spans, row.count, extensions, NULL, rows)
    return rows


cdef object read_one_buffer(object buffer, ExtensionMap extensions, object offsets, object sizes, object out):
    """All packets in one buffer."""
    cdef Py_buffer memory, starts, ends
    begins = whole_numbers(offsets, "offsets")
    if sizes is None:
        if not len(begins):
            raise ValueError("offsets have one number more than there are packets")
        begins, stops = begins[:-1], begins[1:]
    else:
        lengths = whole_numbers(sizes, "sizes")
        if len(lengths) != len(begins):
            raise ValueError(f"there are {len(begins)} offsets and {len(lengths)} sizes")
        stops = begins + lengths
    cdef Py_ssize_t count = len(begins), i
    cdef int64_t start, end
    cdef rt_span *spans = <rt_span *>malloc((count + 1) * sizeof(rt_span))
    if spans == NULL:
        raise MemoryError("no memory for the packets' places")
    try:
        PyObject_GetBuffer(buffer, &memory, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(begins, &starts, PyBUF_SIMPLE)
            PyObject_GetBuffer(stops, &ends, PyBUF_SIMPLE)
            try:
                if memory.len > 0xFFFFFFFF:
                    raise ValueError("the buffer must have less than 4 GB")
                for i in range(count):
                    start, end = (<int64_t *>starts.buf)[i], (<int64_t *>ends.buf)[i]
                    if start < 0 or end < start or end > memory.len:
                        raise ValueError(f"packet {i} lies outside of the buffer: from {start} to {end}")
                    spans[i] = rt_span_of(<const uint8_t *>memory.buf + start, end - start)
            finally:
                PyBuffer_Release(&ends)
                PyBuffer_Release(&starts)
            rows = table(out, count)
            read_rows(spans, count, extensions, <const uint8_t *>memory.buf, rows)
            return rows
        finally:
            PyBuffer_Release(&memory)
    finally:
        free(spans)


def parse_batch(packets, ExtensionMap extensions=None, *, offsets=None, sizes=None, out=None):
    """The headers of many packets, as a structured array of `DTYPE` with a row for each; without the GIL.

    `packets` is a sequence of buffers; or one buffer, with `offsets` (n + 1 of them: packet i reaches from
    `offsets[i]` to `offsets[i + 1]`) or with `offsets` and `sizes` (n each). `payload_offset` and
    `descriptor_offset` count from the packet's start, in one buffer from the buffer's. `out`: an array of
    `DTYPE` to fill, of which the used part is returned.

    A malformed packet has a row of zeros: look at `valid`. `present` tells which extensions a packet has
    (`Extension.bit`), bit 31 a capture offset. `ValueError` for offsets outside of the buffer.
    """
    if offsets is not None:
        return read_one_buffer(packets, extensions, offsets, sizes, out)
    if sizes is not None:
        raise ValueError("sizes need offsets")
    return read_many(packets, extensions, out)
