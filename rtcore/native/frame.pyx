# cython: language_level=3
"""Encoded frames: what a track carries between network and codec, without a copy of its bytes.

A frame is one block of memory (native/base/frame.h) with a count of references. An `EncodedFrame` holds one
of them, views of its bytes hold the `EncodedFrame`, and the worker's senders hold others of their own.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.memoryview cimport PyMemoryView_FromObject
from libc.math cimport floor, isfinite
from libc.string cimport memcpy

cdef enum:
    UNIX_EPOCH = 2208988800  # in NTP seconds (RFC 5905)

cdef tuple NAMES = (  # by rt_codec
    None,
    "opus",
    "PCMU",
    "PCMA",
    "G722",
    "L16",
    "telephone-event",
    "CN",
    "red",
    "VP8",
    "VP9",
    "H264",
    "H265",
    "AV1",
)
cdef dict CODECS = {name: codec for codec, name in enumerate(NAMES) if name is not None}
cdef dict CODECS_LOWER = {name.lower(): codec for name, codec in CODECS.items()}

cdef rt_frame *nothing = rt_frame_new(0)  # of an object that was never initialised
if nothing is NULL:
    raise MemoryError


cdef int codec_of(str name) except -1:
    codec = CODECS.get(name)
    if codec is None and name is not None:
        codec = CODECS_LOWER.get(name.lower())
    if codec is None:
        raise ValueError(f"codec must be one of {', '.join(CODECS)}, not {name!r}")
    return codec


cdef str codec_name(int codec):
    return NAMES[codec]


cdef EncodedFrame frame_from_c(rt_frame *frame):
    cdef EncodedFrame made
    try:
        made = EncodedFrame.__new__(EncodedFrame)
    except MemoryError:
        rt_frame_unref(frame)
        raise
    made.frame = frame
    return made


cdef long long whole(object value, long long least, long long most, str what) except? -1:
    if not least <= value <= most:
        raise ValueError(f"{what} must be between {least} and {most}, not {value!r}")
    return value


cdef uint64_t to_ntp(object seconds) except? 0:
    cdef double value = seconds
    cdef double fraction
    if not isfinite(value) or not 0 <= value < 2.0 ** 32 - UNIX_EPOCH:
        raise ValueError(f"captured must be seconds since 1970, before 2036, not {seconds!r}")
    fraction = value - floor(value)
    return (<uint64_t>floor(value) + UNIX_EPOCH) << 32 | <uint64_t>(fraction * 4294967296.0)


@cython.final
@cython.freelist(256)
cdef class EncodedFrame:
    """One encoded video frame, or the audio of one packet. Immutable; its bytes are its buffer:
    `bytes(frame)`, `memoryview(frame)`, `len(frame)`.

    `codec` is the SDP name ("opus", "PCMU", "PCMA", "G722", "L16", "telephone-event", "CN", "VP8", "VP9",
    "H264", "H265", "AV1"). H.264 and H.265 are in Annex B form, AV1 in low-overhead form, each with all of
    one picture. `timestamp` and `duration` count units of the codec's RTP clock; a received timestamp is
    unwrapped and never goes back by more than reordering of frames does. `captured`: seconds since 1970, by
    the sender's clock.

    `lost`: an audio frame that did not come; it has no data, and its `duration` is to be concealed.
    `stretch`: by how many clock units an audio frame should be played longer (or shorter), so that the jitter
    buffer's delay follows the network. `discontinuity`: frames are missing before this one.
    """

    def __cinit__(self):
        self.frame = nothing

    def __init__(
        self,
        data,
        *,
        codec,
        timestamp,
        key=False,
        duration=0,
        spatial=0,
        temporal=0,
        discardable=False,
        marker=False,
        audio_level=None,
        voice=False,
        rotation=0,
        width=0,
        height=0,
        captured=None,
        lost=False,
        discontinuity=False,
        stretch=0,
    ):
        """`audio_level` in dBov, -127 to 0 (RFC 6464). `rotation` clockwise: 0, 90, 180 or 270 degrees.
        Copies `data` once. `ValueError` for what is out of range or an unknown codec."""
        cdef rt_frame fields
        cdef rt_frame *frame
        cdef Py_buffer view
        if self.frame is not nothing:
            raise RuntimeError("an EncodedFrame is initialised once")
        fields.codec = <uint8_t>codec_of(codec)
        if fields.codec == RT_CODEC_RED:
            raise ValueError("a frame is of the codec that red carries")
        fields.timestamp = whole(timestamp, -(2 ** 62), 2 ** 62, "timestamp")
        fields.duration = <uint32_t>whole(duration, 0, 0xFFFFFFFF, "duration")
        fields.spatial = <uint8_t>whole(spatial, 0, 255, "spatial")
        fields.temporal = <uint8_t>whole(temporal, 0, 255, "temporal")
        fields.audio_level = RT_FRAME_NO_LEVEL
        if audio_level is not None:
            fields.audio_level = <int8_t>whole(audio_level, -127, 0, "audio_level")
        if rotation not in (0, 90, 180, 270):
            raise ValueError(f"rotation must be 0, 90, 180 or 270, not {rotation!r}")
        fields.rotation = rotation // 90
        fields.width = <uint16_t>whole(width, 0, 65535, "width")
        fields.height = <uint16_t>whole(height, 0, 65535, "height")
        fields.captured = 0 if captured is None else to_ntp(captured)
        fields.stretch = <int32_t>whole(stretch, -(2 ** 31), 2 ** 31 - 1, "stretch")
        fields.flags = (
            (RT_FRAME_KEY if key else 0)
            | (RT_FRAME_LOST if lost else 0)
            | (RT_FRAME_DISCONTINUITY if discontinuity else 0)
            | (RT_FRAME_VOICE if voice else 0)
            | (RT_FRAME_DISCARDABLE if discardable else 0)
            | (RT_FRAME_MARKER if marker else 0)
        )
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if lost and view.len:
                raise ValueError("a lost frame has no data")
            frame = rt_frame_new(view.len)
            if frame is NULL:
                raise MemoryError
            memcpy(frame.data, view.buf, view.len)
            frame.size = view.len
        finally:
            PyBuffer_Release(&view)
        frame.codec = fields.codec
        frame.flags = fields.flags
        frame.spatial = fields.spatial
        frame.temporal = fields.temporal
        frame.audio_level = fields.audio_level
        frame.rotation = fields.rotation
        frame.width = fields.width
        frame.height = fields.height
        frame.timestamp = fields.timestamp
        frame.duration = fields.duration
        frame.stretch = fields.stretch
        frame.captured = fields.captured
        self.frame = frame

    def __dealloc__(self):
        if self.frame is not nothing:
            rt_frame_unref(self.frame)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.frame.data, self.frame.size, 1, flags)

    def __len__(self):
        return self.frame.size

    def __bool__(self):
        return True  # a lost one, too, although it has no bytes

    @property
    def data(self):
        """The bytes, read-only, without a copy."""
        return PyMemoryView_FromObject(self)

    @property
    def codec(self):
        return NAMES[self.frame.codec]

    @property
    def timestamp(self):
        return self.frame.timestamp

    @property
    def duration(self):
        return self.frame.duration

    @property
    def key(self):
        return (self.frame.flags & RT_FRAME_KEY) != 0

    @property
    def lost(self):
        return (self.frame.flags & RT_FRAME_LOST) != 0

    @property
    def discontinuity(self):
        return (self.frame.flags & RT_FRAME_DISCONTINUITY) != 0

    @property
    def recovered(self):
        return (self.frame.flags & RT_FRAME_RECOVERED) != 0

    @property
    def discardable(self):
        return (self.frame.flags & RT_FRAME_DISCARDABLE) != 0

    @property
    def marker(self):
        return (self.frame.flags & RT_FRAME_MARKER) != 0

    @property
    def spatial(self):
        return self.frame.spatial

    @property
    def temporal(self):
        return self.frame.temporal

    @property
    def audio_level(self):
        return None if self.frame.audio_level == RT_FRAME_NO_LEVEL else self.frame.audio_level

    @property
    def voice(self):
        return (self.frame.flags & RT_FRAME_VOICE) != 0

    @property
    def rotation(self):
        return self.frame.rotation * 90

    @property
    def width(self):
        """0 when the payload does not tell."""
        return self.frame.width

    @property
    def height(self):
        return self.frame.height

    @property
    def stretch(self):
        return self.frame.stretch

    @property
    def captured(self):
        if self.frame.captured == 0:
            return None
        return self.frame.captured / 4294967296.0 - UNIX_EPOCH

    @property
    def ssrc(self):
        return self.frame.ssrc

    @property
    def payload_type(self):
        return self.frame.payload_type

    @property
    def encoding(self):
        """Which of the section's encodings (RIDs) it belongs to; 0 without simulcast."""
        return self.frame.encoding

    @property
    def packets(self):
        """How many carried it; 0 for one of one's own."""
        return self.frame.packets

    @property
    def arrived(self):
        """When its first packet came, in seconds of the core's clock (`time.monotonic` on Linux); 0: own."""
        return self.frame.arrived / 1e9

    @property
    def completed(self):
        return self.frame.completed / 1e9

    @property
    def released(self):
        """When the jitter buffer let it go."""
        return self.frame.released / 1e9

    def __repr__(self):
        kind = " lost" if self.lost else " key" if self.key else ""
        return f"<EncodedFrame {self.codec}{kind} timestamp={self.timestamp} {self.frame.size} bytes>"
