# cython: language_level=3
"""The jitter buffer alone, for people with RTP packets of their own: packets in, in whatever order they come;
encoded frames out, in decodable order, at the time of their playout.

`add()` takes one packet and `add_batch()` many without the GIL; `pop()` gives the frames that are due,
`deadline` says when the next will be. There is no clock inside: the caller says what time it is. """

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rtcore.native.base cimport (
    RT_MALFORMED,
    RT_NO_MEMORY,
    RT_OK,
    RT_REPLAYED,
    RT_UNEXPECTED,
    Spans,
    from_deadline,
    rt_span,
    rt_span_of,
    rt_status,
    rt_time,
    spans_of,
    to_number,
    to_time,
)
from rtcore.native.frame cimport RT_CODEC_RED, codec_name, codec_of, frame_from_c, rt_codec_is_video, rt_frame
from rtcore.native.rtp cimport rt_rtp, rt_rtp_parse, rt_rtp_values


cdef extern from "wire/payload.h" nogil:
    ctypedef int rt_codec

    ctypedef struct rt_payload_format:
        rt_codec codec
        uint32_t clock_rate
        uint8_t channels

    ctypedef struct rt_payload_info:
        uint32_t duration

    rt_status rt_payload_inspect(
        const rt_payload_format *format, rt_span payload, bint marker, rt_payload_info *out
    )


cdef extern from "proto/reception.h" nogil:
    ctypedef enum rt_arrival:
        RT_ARRIVAL_NEW
        RT_ARRIVAL_DUPLICATE
        RT_ARRIVAL_JUMP
        RT_ARRIVAL_RESTART

    ctypedef struct rt_reception:
        uint64_t received
        uint32_t jitter

    rt_arrival rt_reception_sequence(
        rt_reception *reception, uint16_t sequence, bint recovered, uint64_t *extended
    )
    void rt_reception_time(
        rt_reception *reception, uint64_t extended, uint32_t timestamp, uint32_t clock_rate, rt_time now
    )
    void rt_reception_forget(rt_reception *reception, uint64_t extended)
    int64_t rt_reception_lost(const rt_reception *reception)


cdef extern from "proto/jitter.h" nogil:
    ctypedef struct rt_jitter_config:
        bint video, passthrough
        rt_time min_delay, max_delay
        uint32_t max_packets

    ctypedef struct rt_jitter:
        pass

    ctypedef struct rt_jitter_packet:
        uint64_t sequence
        uint32_t timestamp
        uint8_t payload_type
        bint marker, recovered
        const rt_payload_format *format
        const rt_payload_info *info
        const rt_rtp_values *values
        rt_span payload

    ctypedef struct rt_jitter_stats:
        uint64_t discarded, duplicates, timestamp_jumps
        uint64_t frames, key_frames, frames_dropped, malformed_frames
        uint64_t freezes
        rt_time total_freezes_duration
        rt_time delay, target_delay_sum, minimum_delay
        uint64_t emitted
        uint64_t samples, concealed_samples, concealment_events
        uint64_t inserted_samples, removed_samples
        rt_time target_delay
        uint32_t packets, queued_frames

    void rt_jitter_config_default(rt_jitter_config *config)
    rt_jitter *rt_jitter_new(const rt_jitter_config *config)
    void rt_jitter_free(rt_jitter *jitter)
    rt_status rt_jitter_add(rt_jitter *jitter, const rt_jitter_packet *packet, rt_time now)
    void rt_jitter_restart(rt_jitter *jitter, uint64_t sequence, rt_time now)
    rt_frame *rt_jitter_pop(rt_jitter *jitter, rt_time now)
    uint64_t rt_jitter_head(const rt_jitter *jitter)
    rt_time rt_jitter_deadline(const rt_jitter *jitter)
    bint rt_jitter_key_frame_needed(const rt_jitter *jitter)
    void rt_jitter_set_delay(rt_jitter *jitter, rt_time min_delay, rt_time max_delay)
    void rt_jitter_set_patience(rt_jitter *jitter, rt_time patience)
    void rt_jitter_get_stats(const rt_jitter *jitter, rt_jitter_stats *out)


cdef dict CLOCK_RATES = {"opus": 48000, "PCMU": 8000, "PCMA": 8000, "G722": 8000, "CN": 8000}

cdef enum:
    MAX_PACKETS = 65536


@cython.final
cdef class JitterBuffer:
    """The jitter buffer of one stream of one codec (its SDP name, as in `EncodedFrame`; not "red").

    Video frames come whole and in decodable order; after a loss that lasts for `patience` seconds the next
    key frame ends the wait (`key_frame_needed`), or for VP8 and VP9 the next frame that refers to nothing
    lost. Audio comes on a time line without gaps: what did not come in time is a frame with `lost`. The delay
    adapts between `min_delay` and `max_delay` seconds to the 95% quantile of how late packets come.
    `passthrough`: frames come as soon as they are whole and in order, without delay and concealment. Not to
    be used by two threads at once. """

    cdef rt_jitter *jitter
    cdef rt_reception reception
    cdef rt_payload_format format
    cdef uint64_t malformed, duplicates, discarded, jumps
    cdef readonly str codec
    """The codec's SDP name."""

    def __init__(
        self,
        codec,
        *,
        clock_rate=None,
        channels=1,
        passthrough=False,
        min_delay=0.0,
        max_delay=2.0,
        max_packets=2048,
        patience=0.1,
    ):
        """`clock_rate`: of the RTP timestamps, by default the codec's (L16 has none). `max_packets`: how many
        may wait, up to 65536. `ValueError` for what is out of range or an unknown codec."""
        cdef rt_jitter_config config
        cdef int number = codec_of(codec)
        if self.jitter != NULL:
            raise RuntimeError("a JitterBuffer is initialised once")
        if number == RT_CODEC_RED:
            raise ValueError("red carries other codecs: unwrap it before")
        self.codec = codec_name(number)
        if clock_rate is None:
            clock_rate = 90000 if rt_codec_is_video(number) else CLOCK_RATES.get(self.codec)
            if clock_rate is None:
                raise ValueError(f"{self.codec} needs a clock_rate")
        self.format.codec = number
        self.format.clock_rate = <uint32_t>to_number(clock_rate, 0xFFFFFFFF, "clock_rate")
        self.format.channels = <uint8_t>to_number(channels, 255, "channels")
        if not self.format.clock_rate or not self.format.channels:
            raise ValueError("clock_rate and channels are at least 1")
        rt_jitter_config_default(&config)
        config.video = rt_codec_is_video(number)
        config.passthrough = passthrough
        config.max_packets = <uint32_t>to_number(max_packets, MAX_PACKETS, "max_packets")
        check_delay(min_delay, max_delay, &config.min_delay, &config.max_delay)
        self.jitter = rt_jitter_new(&config)
        if self.jitter == NULL:
            raise MemoryError("no memory for a jitter buffer")
        rt_jitter_set_patience(self.jitter, to_time(patience, "patience"))

    def __dealloc__(self):
        rt_jitter_free(self.jitter)

    cdef int ready(self) except -1:
        if self.jitter == NULL:
            raise RuntimeError("the JitterBuffer was not initialised")
        return 0

    cdef rt_status take(self, rt_span data, bint recovered, rt_time now) noexcept nogil:
        """One packet, counted whatever becomes of it."""
        cdef rt_rtp rtp
        cdef rt_payload_info info
        cdef rt_jitter_packet packet
        cdef rt_arrival arrival
        if rt_rtp_parse(data, &rtp) != RT_OK:
            self.malformed += 1
            return RT_MALFORMED
        arrival = rt_reception_sequence(&self.reception, rtp.sequence, recovered, &packet.sequence)
        if arrival == RT_ARRIVAL_DUPLICATE:
            self.duplicates += 1
            return RT_REPLAYED
        if arrival == RT_ARRIVAL_JUMP:
            self.discarded += 1
            return RT_UNEXPECTED
        if arrival == RT_ARRIVAL_RESTART:
            self.jumps += 1
            rt_jitter_restart(self.jitter, packet.sequence, now)
        packet.info = NULL
        if rtp.payload.size:
            packet.info = &info
            if rt_payload_inspect(&self.format, rtp.payload, rtp.marker, &info) != RT_OK:
                self.malformed += 1
                return RT_MALFORMED
        if not recovered:
            rt_reception_time(&self.reception, packet.sequence, rtp.timestamp, self.format.clock_rate, now)
        packet.timestamp = rtp.timestamp
        packet.payload_type = rtp.payload_type
        packet.marker = rtp.marker
        packet.recovered = recovered
        packet.format = &self.format
        packet.values = NULL
        packet.payload = rtp.payload
        cdef rt_status status = rt_jitter_add(self.jitter, &packet, now)
        if status == RT_UNEXPECTED and packet.sequence >= rt_jitter_head(self.jitter):
            rt_reception_forget(&self.reception, packet.sequence)
        return status

    cdef Py_ssize_t take_all(
        self, const rt_span *packets, Py_ssize_t count, bint recovered, rt_time now
    ) except -1:
        cdef Py_ssize_t kept = 0, i
        cdef rt_status status = RT_OK
        with nogil:
            for i in range(count):
                status = self.take(packets[i], recovered, now)
                if status == RT_OK:
                    kept += 1
                elif status == RT_NO_MEMORY:
                    break
        if status == RT_NO_MEMORY:
            raise MemoryError("no memory for a packet")
        return kept

    def add(self, packet, now, *, recovered=False):
        """Takes one RTP packet (decrypted, any payload type) that came at `now`, in seconds of the caller's
        clock.

        `recovered`: by retransmission. Returns whether it was kept: False for what is malformed, a duplicate,
        too late, or so far from the others that it is on probation; all are counted. Copies what it keeps.
        """
        cdef Py_buffer view
        cdef rt_status status
        cdef rt_time at = to_time(now, "now")
        self.ready()
        if PyBytes_CheckExact(packet):
            status = self.take(rt_span_of(PyBytes_AS_STRING(packet), PyBytes_GET_SIZE(packet)), recovered, at)
        else:
            PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE)
            status = self.take(rt_span_of(view.buf, view.len), recovered, at)
            PyBuffer_Release(&view)
        if status == RT_NO_MEMORY:
            raise MemoryError("no memory for a packet")
        return status == RT_OK

    def add_batch(self, packets, now, *, recovered=False):
        """The same for a sequence of packets that came in this order; without the GIL. Returns how many were
        kept."""
        cdef Spans row = spans_of(packets)
        cdef rt_time at = to_time(now, "now")
        self.ready()
        return self.take_all(row.spans, row.count, recovered, at)

    def pop(self, now):
        """The frames that are due at `now`, as a list of `EncodedFrame`. Call it after packets were added,
        and when the deadline has come."""
        cdef rt_time at = to_time(now, "now")
        cdef rt_frame *frame
        cdef list out = []
        self.ready()
        while True:
            frame = rt_jitter_pop(self.jitter, at)
            if frame == NULL:
                return out
            out.append(frame_from_c(frame))

    @property
    def deadline(self):
        """When `pop()` may have something next, in seconds of the caller's clock. None: not before another
        packet comes."""
        self.ready()
        return from_deadline(rt_jitter_deadline(self.jitter))

    @property
    def key_frame_needed(self):
        """Whether nothing decodable can come any more without a key frame: ask the sender for one (PLI)."""
        self.ready()
        return bool(rt_jitter_key_frame_needed(self.jitter))

    def set_delay(self, min_delay, max_delay):
        """Other bounds of the delay, in seconds."""
        cdef rt_time least, most
        self.ready()
        check_delay(min_delay, max_delay, &least, &most)
        rt_jitter_set_delay(self.jitter, least, most)

    def set_patience(self, patience):
        """How many seconds a hole is waited for before a key frame is needed: what a retransmission may
        take."""
        self.ready()
        rt_jitter_set_patience(self.jitter, to_time(patience, "patience"))

    def statistics(self):
        """Counters, named as in W3C webrtc-stats where they are there; times in seconds."""
        cdef rt_jitter_stats s
        self.ready()
        rt_jitter_get_stats(self.jitter, &s)
        return {
            "packetsReceived": self.reception.received,
            "packetsLost": rt_reception_lost(&self.reception),
            "packetsDiscarded": self.discarded + s.discarded,
            "packetsDuplicate": self.duplicates + s.duplicates,
            "packetsMalformed": self.malformed,
            "packetsQueued": s.packets,
            "jumps": self.jumps + s.timestamp_jumps,
            "jitter": (self.reception.jitter >> 4) / <double>self.format.clock_rate,
            "framesReceived": s.frames,
            "keyFramesReceived": s.key_frames,
            "framesDropped": s.frames_dropped,
            "framesMalformed": s.malformed_frames,
            "framesQueued": s.queued_frames,
            "freezeCount": s.freezes,
            "totalFreezesDuration": s.total_freezes_duration / 1e9,
            "jitterBufferDelay": s.delay / 1e9,
            "jitterBufferTargetDelay": s.target_delay_sum / 1e9,
            "jitterBufferMinimumDelay": s.minimum_delay / 1e9,
            "jitterBufferEmittedCount": s.emitted,
            "totalSamplesReceived": s.samples,
            "concealedSamples": s.concealed_samples,
            "concealmentEvents": s.concealment_events,
            "insertedSamplesForDeceleration": s.inserted_samples,
            "removedSamplesForAcceleration": s.removed_samples,
            "targetDelay": s.target_delay / 1e9,
        }


cdef int check_delay(object min_delay, object max_delay, rt_time *least, rt_time *most) except -1:
    least[0] = to_time(min_delay, "min_delay")
    most[0] = to_time(max_delay, "max_delay")
    if not 0 <= least[0] <= most[0]:
        raise ValueError(f"0 <= min_delay <= max_delay, not {min_delay} and {max_delay}")
    return 0
