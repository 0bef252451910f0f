# cython: language_level=3
"""Payload formats: encoded frames into RTP payloads and back (native/wire/payload.h).

`Packetizer` cuts a frame once, into one block of memory; `Depacketizer` tells what single payloads say of
their frame, and makes the frame of all its payloads. RED, telephone-event and Opus' durations stand beside
them.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from rtcore.native.base cimport (
    RT_OK,
    RT_RANDOM_SEED,
    Spans,
    check,
    rt_buffer,
    rt_buffer_of,
    rt_random,
    rt_random_init,
    rt_random_init_number,
    rt_seed,
    rt_span,
    rt_span_of,
    rt_status,
    rt_writer,
    spans_of,
)
from rtcore.native.frame cimport (
    RT_FRAME_DISCARDABLE,
    RT_FRAME_MARKER,
    EncodedFrame,
    codec_name,
    codec_of,
    frame_from_c,
    rt_frame,
)

from typing import NamedTuple


cdef extern from "base/span.h" nogil:
    rt_writer rt_writer_of(rt_buffer buffer)
    size_t rt_writer_size(const rt_writer *w)


cdef extern from "wire/payload.h" nogil:
    ctypedef int rt_codec

    ctypedef struct rt_payload_format:
        rt_codec codec
        uint8_t channels
        uint8_t h264_mode

    enum:
        RT_PAYLOAD_KEY

    ctypedef struct rt_payload:
        uint32_t offset
        uint16_t size
        uint8_t flags

    ctypedef struct rt_payloads:
        uint32_t count
        rt_codec codec
        const uint8_t *data
        rt_payload *items

    ctypedef struct rt_packetizer:
        pass

    ctypedef struct rt_payload_info:
        bint starts_frame
        bint ends_frame
        bint key
        bint discardable
        bint has_picture_id, has_tl0
        bint layer_switch
        uint8_t spatial, temporal
        uint16_t picture_id
        uint8_t tl0
        uint16_t width, height
        uint32_t duration

    ctypedef struct rt_red_block:
        uint8_t payload_type
        uint16_t timestamp_offset
        rt_span data

    ctypedef struct rt_telephone_event:
        uint8_t event
        bint end
        uint8_t volume
        uint16_t duration

    void rt_payloads_unref(rt_payloads *payloads)
    rt_span rt_payload_span(const rt_payloads *payloads, uint32_t index)
    bint rt_payload_can_send(const rt_payload_format *format)
    rt_packetizer *rt_packetizer_new(const rt_payload_format *format, rt_random *random)
    void rt_packetizer_free(rt_packetizer *packetizer)
    rt_status rt_packetizer_frame(rt_packetizer *packetizer, const rt_frame *frame, rt_span data,
                                  size_t max_payload, rt_payloads **out)
    rt_status rt_payload_inspect(const rt_payload_format *format, rt_span payload, bint marker,
                                 rt_payload_info *out)
    rt_status rt_payload_assemble(const rt_payload_format *format, const rt_span *payloads, size_t count,
                                  rt_frame **out)
    size_t rt_red_read(rt_span payload, rt_red_block *out, size_t max)
    rt_status rt_red_write(rt_writer *out, const rt_red_block *blocks, size_t count)
    rt_status rt_telephone_event_read(rt_span payload, rt_telephone_event *out)
    void rt_telephone_event_write(rt_writer *out, const rt_telephone_event *event)
    uint32_t rt_opus_duration(rt_span packet)


cdef enum:
    RED_MAX = 32
    EVENT_SIZE = 4


cdef rt_payload_format format_of(str codec, int channels, int packetization_mode) except *:
    cdef rt_payload_format format
    memset(&format, 0, sizeof(format))
    format.codec = codec_of(codec)
    if not 1 <= channels <= 255:
        raise ValueError(f"channels must be between 1 and 255, not {channels}")
    if not 0 <= packetization_mode <= 1:
        raise ValueError(f"packetization_mode must be 0 or 1, not {packetization_mode}")
    format.channels = channels
    format.h264_mode = packetization_mode
    return format


cdef bytes copied(rt_span data):
    return PyBytes_FromStringAndSize(<const char *>data.data, data.size)


# ---- sending ----


@cython.final
@cython.freelist(64)
cdef class Payloads:
    """The payloads of one frame, in one block of memory. `len()`, iteration and `payloads[i]` give them as
    bytes.

    The block itself is the object's buffer: `memoryview(payloads)` has all payloads one behind the other,
    without a copy, and `sizes` says how long each is.
    """

    cdef rt_payloads *block

    def __init__(self):
        raise TypeError("use Packetizer.packetize()")

    def __dealloc__(self):
        rt_payloads_unref(self.block)

    cdef Py_ssize_t count(self) noexcept:
        return self.block.count if self.block is not NULL else 0

    def __len__(self):
        return self.count()

    def __getitem__(self, index):
        cdef Py_ssize_t at = index
        if at < 0:
            at += self.count()
        if not 0 <= at < self.count():
            raise IndexError("no such payload")
        return copied(rt_payload_span(self.block, at))

    def __iter__(self):
        return iter([copied(rt_payload_span(self.block, i)) for i in range(self.count())])

    def __getbuffer__(self, Py_buffer *view, int flags):
        cdef const rt_payload *last
        if self.block is NULL:
            raise BufferError("it was never initialised")
        last = &self.block.items[self.block.count - 1]
        PyBuffer_FillInfo(view, self, <void *>self.block.data, last.offset + last.size, 1, flags)

    @property
    def sizes(self):
        """Bytes of each payload."""
        return [self.block.items[i].size for i in range(self.count())]

    @property
    def key(self):
        """Whether they are of a key frame."""
        return self.count() > 0 and (self.block.items[0].flags & RT_PAYLOAD_KEY) != 0


@cython.final
cdef class Packetizer:
    """Cuts the frames of one stream into RTP payloads; counts its picture ids."""

    cdef rt_packetizer *packetizer
    cdef rt_codec codec

    def __init__(self, codec, *, channels=1, packetization_mode=1, seed=None):
        """`codec`: its SDP name. `packetization_mode`: of H.264, 0 or 1. The first picture id is random; with
        a `seed` (an integer) always the same. `ValueError`: an unknown codec."""
        cdef rt_payload_format format = format_of(codec, channels, packetization_mode)
        cdef rt_random random
        cdef uint8_t key[RT_RANDOM_SEED]
        if seed is None:
            check(rt_seed(key), "seeding")
            rt_random_init(&random, key)
        else:
            rt_random_init_number(&random, seed)
        rt_packetizer_free(self.packetizer)
        self.codec = format.codec
        self.packetizer = rt_packetizer_new(&format, &random)
        if self.packetizer is NULL:
            raise MemoryError("no memory for a packetizer")

    def __dealloc__(self):
        rt_packetizer_free(self.packetizer)

    def packetize(self, data, *, max_payload=1200, temporal=0, discardable=False, marker=False):
        """The payloads of one frame, each of at most `max_payload` bytes (64 to 65535). Their sizes are equal
        but for the last one's, as far as the format lets them.

        `data` is an `EncodedFrame`, which says by itself what the other arguments say, or any buffer.
        `temporal`: the frame's layer. `discardable`: no other frame needs it. `marker`: of audio, a talk
        spurt begins. `ValueError`: not a frame of this codec, or one that the format cannot
        cut (audio, H.264 in mode 0).
        """
        cdef rt_frame local
        cdef const rt_frame *frame = &local
        cdef Py_buffer view
        cdef rt_status status
        cdef Payloads made
        cdef rt_payloads *block = NULL
        cdef size_t room = max_payload
        if isinstance(data, EncodedFrame):
            frame = (<EncodedFrame>data).frame
        else:
            memset(&local, 0, sizeof(local))
            local.codec = self.codec
            local.temporal = temporal
            if discardable:
                local.flags |= RT_FRAME_DISCARDABLE
            if marker:
                local.flags |= RT_FRAME_MARKER
        if self.packetizer is NULL:
            raise ValueError("the packetizer was never initialised")
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        status = rt_packetizer_frame(self.packetizer, frame, rt_span_of(view.buf, view.len), room, &block)
        PyBuffer_Release(&view)
        if status != RT_OK:
            check(status, f"packetizing {codec_name(self.codec)}")
        made = Payloads.__new__(Payloads)
        made.block = block
        return made


# ---- receiving ----


@cython.final
@cython.freelist(64)
cdef class PayloadInfo:
    """What one payload tells of its frame."""

    cdef rt_payload_info info

    def __init__(self):
        raise TypeError("use Depacketizer.inspect()")

    def __repr__(self):
        told = [name for name in ("starts_frame", "ends_frame", "key", "discardable") if getattr(self, name)]
        told += [f"{name}={getattr(self, name)}" for name in ("picture_id", "tl0", "spatial", "temporal")]
        return f"<PayloadInfo {' '.join(told)}>"

    @property
    def starts_frame(self):
        """Whether it is the first payload of its frame. H.264, H.265 and AV1 do not mark that: there it says
        that a frame may start here."""
        return self.info.starts_frame

    @property
    def ends_frame(self):
        """Whether it is certainly the last one: by the format, or the marker."""
        return self.info.ends_frame

    @property
    def key(self):
        """Whether it is part of a key frame, as far as this payload tells."""
        return self.info.key

    @property
    def discardable(self):
        """Whether no other frame needs its frame."""
        return self.info.discardable

    @property
    def layer_switch(self):
        """VP8, VP9: one may switch up to this temporal layer here."""
        return self.info.layer_switch

    @property
    def spatial(self):
        """The spatial layer, 0 without layers."""
        return self.info.spatial

    @property
    def temporal(self):
        """The temporal layer, 0 without layers."""
        return self.info.temporal

    @property
    def picture_id(self):
        """7 or 15 bits (VP8, VP9); None when there is none."""
        return self.info.picture_id if self.info.has_picture_id else None

    @property
    def tl0(self):
        """The count of frames of the lowest temporal layer (VP8, VP9); None when there is none."""
        return self.info.tl0 if self.info.has_tl0 else None

    @property
    def width(self):
        """Of the picture, where this payload of a key frame tells it; else 0."""
        return self.info.width

    @property
    def height(self):
        """Of the picture, where this payload of a key frame tells it; else 0."""
        return self.info.height

    @property
    def duration(self):
        """Of audio, in units of the RTP clock; 0 for video."""
        return self.info.duration


@cython.final
cdef class Depacketizer:
    """Reads the RTP payloads of one codec. Has no state: frames may come in any order."""

    cdef rt_payload_format format

    def __init__(self, codec, *, channels=1, packetization_mode=1):
        """`codec`: its SDP name. `channels`: of audio, for durations. `ValueError`: an unknown codec."""
        self.format = format_of(codec, channels, packetization_mode)

    def inspect(self, payload, marker=False):
        """What one payload (any buffer) tells of its frame; `marker` is that of its RTP packet.
        `ValueError`: not a payload of this format."""
        cdef PayloadInfo out = PayloadInfo.__new__(PayloadInfo)
        cdef bint marked = marker
        cdef Py_buffer view
        cdef rt_status status
        if PyBytes_CheckExact(payload):
            status = rt_payload_inspect(
                &self.format,
                rt_span_of(PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload)),
                marked,
                &out.info,
            )
        else:
            PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
            status = rt_payload_inspect(&self.format, rt_span_of(view.buf, view.len), marked, &out.info)
            PyBuffer_Release(&view)
        if status != RT_OK:
            check(status, f"{codec_name(self.format.codec)} payload")
        return out

    def assemble(self, payloads, timestamp=0):
        """The frame of these payloads (buffers): all of one frame and in their order, as an `EncodedFrame`.
        `timestamp`: its own, in units of the RTP clock. `ValueError`: something is malformed or missing."""
        cdef Spans row = spans_of(payloads)
        cdef rt_frame *frame = NULL
        cdef int64_t at = timestamp
        cdef rt_status status = rt_payload_assemble(&self.format, row.spans, row.count, &frame)
        if status != RT_OK:
            check(status, f"assembling {codec_name(self.format.codec)}")
        frame.timestamp = at
        return frame_from_c(frame)


# ---- RED, telephone-event, Opus ----


class RedBlock(NamedTuple):
    """One block of a RED payload. `timestamp_offset`: before the packet's, 0 for the primary block."""

    payload_type: int
    timestamp_offset: int
    data: bytes


def red_read(payload):
    """The blocks of a RED payload (RFC 2198), the primary one last. `ValueError`: malformed, or over 32."""
    cdef Py_buffer view
    cdef rt_red_block blocks[RED_MAX]
    cdef list out
    PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
    try:
        count = rt_red_read(rt_span_of(view.buf, view.len), blocks, RED_MAX)
        if count == 0:
            raise ValueError("not a RED payload")
        out = []
        for i in range(count):
            out.append(RedBlock(blocks[i].payload_type, blocks[i].timestamp_offset, copied(blocks[i].data)))
        return out
    finally:
        PyBuffer_Release(&view)


def red_write(blocks):
    """A RED payload of (payload_type, timestamp_offset, data), the primary block last and with offset 0.
    `ValueError`: no block, more than 32, or a value that the header cannot tell (offsets end at 16383,
    redundant blocks at 1023 bytes)."""
    cdef rt_red_block raw[RED_MAX]
    cdef list rows = [RedBlock(*block) for block in blocks]
    cdef Spans row = spans_of([block.data for block in rows])
    cdef size_t size = 0
    cdef bytearray out
    cdef rt_writer writer
    if len(rows) > RED_MAX:
        raise ValueError(f"a RED payload has at most {RED_MAX} blocks here, not {len(rows)}")
    for i, block in enumerate(rows):
        if not (0 <= block.payload_type <= 127 and 0 <= block.timestamp_offset <= 0xFFFF):
            raise ValueError(f"a RED block cannot have type {block[0]} and offset {block[1]}")
        raw[i].payload_type = block.payload_type
        raw[i].timestamp_offset = block.timestamp_offset
        raw[i].data = row.spans[i]
        size += 4 + row.spans[i].size
    out = bytearray(size)
    writer = rt_writer_of(rt_buffer_of(<uint8_t *>out, size))
    check(rt_red_write(&writer, raw, len(rows)), "RED payload")
    return bytes(out[:rt_writer_size(&writer)])


class TelephoneEvent(NamedTuple):
    """A payload of telephone-event (RFC 4733 section 2.3). `event`: 0 to 9, 10 '*', 11 '#', 12 to 15 A to D,
    16 flash. `volume` in -dBm0. `duration` in units of the RTP clock."""

    event: int
    end: bool
    volume: int
    duration: int


def telephone_event_read(payload):
    """The event of a payload. `ValueError`: malformed."""
    cdef Py_buffer view
    cdef rt_telephone_event event
    PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
    status = rt_telephone_event_read(rt_span_of(view.buf, view.len), &event)
    PyBuffer_Release(&view)
    check(status, "telephone-event payload")
    return TelephoneEvent(event.event, bool(event.end), event.volume, event.duration)


def telephone_event_write(event):
    """The payload of an event. `ValueError`: a value out of range (event 0 to 255, volume 0 to 63, duration 0
    to 65535)."""
    cdef rt_telephone_event raw
    cdef uint8_t out[EVENT_SIZE]
    cdef rt_writer writer = rt_writer_of(rt_buffer_of(out, EVENT_SIZE))
    number, end, volume, duration = event
    if not (0 <= number <= 255 and 0 <= volume <= 63 and 0 <= duration <= 65535):
        raise ValueError(f"out of range for telephone-event: {event!r}")
    raw.event = number
    raw.end = end
    raw.volume = volume
    raw.duration = duration
    rt_telephone_event_write(&writer, &raw)
    return PyBytes_FromStringAndSize(<const char *>out, EVENT_SIZE)


def opus_duration(packet):
    """Samples at 48 kHz in an Opus packet (RFC 6716 section 3.1); 0: malformed."""
    cdef Py_buffer view
    PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE)
    duration = rt_opus_duration(rt_span_of(view.buf, view.len))
    PyBuffer_Release(&view)
    return duration
