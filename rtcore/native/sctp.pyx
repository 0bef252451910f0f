# cython: language_level=3
"""SCTP as WebRTC uses it (RFC 9260 over DTLS, RFC 8831), sans-IO: an `Association` and a packet inspector.

Feed packets with `receive`, send what `transmit` gives, take `events`, and call `expire` when `deadline` has
come. Nothing here reads a clock or a socket: time is a float in seconds of any monotonic clock.
"""

from os import urandom

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from rtcore.native.base cimport (
    RT_MESSAGE_UNORDERED,
    RT_NEVER,
    RT_NO_MEMORY,
    RT_OK,
    RT_RANDOM_SEED,
    check,
    from_deadline,
    from_time,
    rt_batch,
    rt_batch_init,
    rt_batch_reset,
    rt_buffer,
    rt_message,
    rt_message_free,
    rt_packet,
    rt_random,
    rt_random_init,
    rt_reader,
    rt_reader_of,
    rt_span,
    rt_status,
    rt_time,
    to_time,
)


cdef extern from "proto/sctp.h":
    enum:
        RT_SCTP_MTU_MIN
        RT_SCTP_MTU_MAX

    ctypedef struct rt_sctp:
        pass

    ctypedef struct rt_sctp_config:
        rt_random *random
        uint16_t local_port
        uint16_t remote_port
        uint16_t mtu
        uint16_t max_mtu
        uint16_t streams
        uint32_t receive_buffer
        uint32_t send_buffer
        uint32_t max_message_size
        bint zero_checksum
        bint interleaving
        rt_time rto_initial
        rt_time rto_min
        rt_time rto_max
        rt_time heartbeat
        rt_time sack_delay
        rt_time cookie_life
        uint16_t max_retransmits
        uint16_t max_init_retransmits

    ctypedef struct rt_sctp_send_info:
        uint32_t protocol
        uint16_t stream
        bint unordered
        int32_t max_retransmits
        rt_time lifetime

    ctypedef enum rt_sctp_event_type:
        RT_SCTP_EVENT_CONNECTED
        RT_SCTP_EVENT_MESSAGE
        RT_SCTP_EVENT_BUFFERED_LOW
        RT_SCTP_EVENT_SEND_ROOM
        RT_SCTP_EVENT_RESET_IN
        RT_SCTP_EVENT_RESET_OUT
        RT_SCTP_EVENT_RESET_FAILED
        RT_SCTP_EVENT_RESTARTED
        RT_SCTP_EVENT_ABANDONED
        RT_SCTP_EVENT_CLOSED

    ctypedef struct rt_sctp_event:
        rt_sctp_event_type type
        uint16_t stream
        uint16_t error
        rt_message *message
        char text[64]

    ctypedef struct rt_sctp_stats:
        uint64_t packets_sent
        uint64_t packets_received
        uint64_t bytes_sent
        uint64_t bytes_received
        uint64_t messages_sent
        uint64_t messages_received
        uint64_t payload_sent
        uint64_t payload_received
        uint64_t chunks_retransmitted
        uint64_t fast_retransmits
        uint64_t timeouts
        uint64_t tail_probes
        uint64_t spurious_retransmits
        uint64_t messages_abandoned
        uint64_t duplicate_chunks
        uint64_t malformed
        uint64_t bad_checksum
        uint64_t bad_tag
        uint64_t unexpected
        uint64_t out_of_window
        uint32_t congestion_window
        uint32_t slow_start_threshold
        uint32_t peer_window
        uint32_t bytes_in_flight
        uint32_t unsent
        uint32_t mtu
        rt_time smoothed_round_trip
        rt_time rto
        uint32_t receive_buffered
        bint zero_checksum_in
        bint zero_checksum_out
        bint interleaving
        bint partial_reliability
        bint stream_reset

    void rt_sctp_config_default(rt_sctp_config *config)
    rt_sctp *rt_sctp_new(const rt_sctp_config *config)
    void rt_sctp_free(rt_sctp *sctp)
    rt_status rt_sctp_connect(rt_sctp *sctp, rt_time now)
    rt_status rt_sctp_shutdown(rt_sctp *sctp, rt_time now)
    void rt_sctp_abort(rt_sctp *sctp, rt_span reason, rt_time now)
    rt_status rt_sctp_send(rt_sctp *sctp, const rt_sctp_send_info *info, rt_span data, rt_time now)
    void rt_sctp_set_priority(rt_sctp *sctp, uint16_t stream, uint16_t priority)
    void rt_sctp_set_remote_max_message_size(rt_sctp *sctp, uint32_t size)
    uint32_t rt_sctp_buffered(const rt_sctp *sctp, uint16_t stream)
    void rt_sctp_set_buffered_low(rt_sctp *sctp, uint16_t stream, uint32_t threshold)
    uint32_t rt_sctp_send_room(const rt_sctp *sctp)
    rt_status rt_sctp_reset_stream(rt_sctp *sctp, uint16_t stream, rt_time now)
    void rt_sctp_release(rt_sctp *sctp, size_t bytes, rt_time now)
    rt_status rt_sctp_receive(rt_sctp *sctp, rt_span packet, rt_time now)
    size_t rt_sctp_transmit(rt_sctp *sctp, rt_batch *out, rt_time now)
    rt_time rt_sctp_deadline(const rt_sctp *sctp)
    void rt_sctp_expire(rt_sctp *sctp, rt_time now)
    int rt_sctp_get_state(const rt_sctp *sctp)
    uint16_t rt_sctp_streams_out(const rt_sctp *sctp)
    uint16_t rt_sctp_streams_in(const rt_sctp *sctp)
    bint rt_sctp_event_next(rt_sctp *sctp, rt_sctp_event *out)
    void rt_sctp_get_stats(const rt_sctp *sctp, rt_sctp_stats *out)

cdef extern from "wire/sctp.h":
    enum:
        RT_SCTP_DATA
        RT_SCTP_INIT
        RT_SCTP_INIT_ACK
        RT_SCTP_SACK
        RT_SCTP_HEARTBEAT
        RT_SCTP_HEARTBEAT_ACK
        RT_SCTP_ABORT
        RT_SCTP_SHUTDOWN
        RT_SCTP_SHUTDOWN_ACK
        RT_SCTP_ERROR
        RT_SCTP_COOKIE_ECHO
        RT_SCTP_COOKIE_ACK
        RT_SCTP_SHUTDOWN_COMPLETE
        RT_SCTP_I_DATA
        RT_SCTP_RE_CONFIG
        RT_SCTP_PAD
        RT_SCTP_FORWARD_TSN
        RT_SCTP_I_FORWARD_TSN

    ctypedef struct rt_sctp_header:
        uint16_t source_port
        uint16_t destination_port
        uint32_t tag
        uint32_t checksum

    ctypedef struct rt_sctp_chunk:
        uint8_t type
        uint8_t flags
        rt_span value

    ctypedef struct rt_sctp_param:
        uint16_t type
        rt_span value

    ctypedef struct rt_sctp_data:
        uint32_t tsn
        uint16_t stream
        bint interleaved
        uint32_t mid
        uint32_t fsn
        uint32_t protocol
        rt_span payload

    ctypedef struct rt_sctp_init:
        uint32_t tag
        uint32_t window
        uint16_t streams_out
        uint16_t streams_in
        uint32_t tsn
        rt_span params

    ctypedef struct rt_sctp_gap:
        uint16_t start
        uint16_t end

    ctypedef struct rt_sctp_sack:
        uint32_t cumulative_tsn
        uint32_t window
        uint16_t gap_count
        uint16_t duplicate_count

    ctypedef struct rt_sctp_forward:
        uint32_t cumulative_tsn
        bint interleaved
        size_t count

    ctypedef struct rt_sctp_skip:
        uint16_t stream
        bint unordered
        uint32_t mid

    bint rt_sctp_read_header(rt_reader *r, rt_sctp_header *out)
    bint rt_sctp_checksum_ok(rt_span packet)
    bint rt_sctp_next_chunk(rt_reader *r, rt_sctp_chunk *out)
    bint rt_sctp_next_param(rt_reader *r, rt_sctp_param *out)
    bint rt_sctp_parse_data(const rt_sctp_chunk *chunk, rt_sctp_data *out)
    bint rt_sctp_parse_init(const rt_sctp_chunk *chunk, rt_sctp_init *out)
    bint rt_sctp_parse_sack(const rt_sctp_chunk *chunk, rt_sctp_sack *out)
    rt_sctp_gap rt_sctp_sack_gap(const rt_sctp_sack *sack, size_t i)
    uint32_t rt_sctp_sack_duplicate(const rt_sctp_sack *sack, size_t i)
    bint rt_sctp_parse_forward(const rt_sctp_chunk *chunk, rt_sctp_forward *out)
    rt_sctp_skip rt_sctp_forward_skip(const rt_sctp_forward *forward, size_t i)


cdef enum:
    BATCH = 64

cdef tuple STATES = (
    "closed",
    "cookie-wait",
    "cookie-echoed",
    "established",
    "shutdown-pending",
    "shutdown-sent",
    "shutdown-received",
    "shutdown-ack-sent",
)

cdef dict CHUNK_NAMES = {
    RT_SCTP_DATA: "DATA",
    RT_SCTP_INIT: "INIT",
    RT_SCTP_INIT_ACK: "INIT-ACK",
    RT_SCTP_SACK: "SACK",
    RT_SCTP_HEARTBEAT: "HEARTBEAT",
    RT_SCTP_HEARTBEAT_ACK: "HEARTBEAT-ACK",
    RT_SCTP_ABORT: "ABORT",
    RT_SCTP_SHUTDOWN: "SHUTDOWN",
    RT_SCTP_SHUTDOWN_ACK: "SHUTDOWN-ACK",
    RT_SCTP_ERROR: "ERROR",
    RT_SCTP_COOKIE_ECHO: "COOKIE-ECHO",
    RT_SCTP_COOKIE_ACK: "COOKIE-ACK",
    RT_SCTP_SHUTDOWN_COMPLETE: "SHUTDOWN-COMPLETE",
    RT_SCTP_I_DATA: "I-DATA",
    RT_SCTP_RE_CONFIG: "RE-CONFIG",
    RT_SCTP_PAD: "PAD",
    RT_SCTP_FORWARD_TSN: "FORWARD-TSN",
    RT_SCTP_I_FORWARD_TSN: "I-FORWARD-TSN",
}


cdef tuple PARAM_CHUNKS = (
    RT_SCTP_RE_CONFIG,
    RT_SCTP_HEARTBEAT,
    RT_SCTP_HEARTBEAT_ACK,
    RT_SCTP_ABORT,
    RT_SCTP_ERROR,
)


cdef object take_span(rt_span span):
    return PyBytes_FromStringAndSize(<const char *>span.data, <Py_ssize_t>span.size)


cdef class Event:
    """What happened on an association. Its subclasses can be matched by position or attribute."""

    __match_args__ = ()

    def __repr__(self):
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({fields})"


cdef class Connected(Event):
    """The association is established: streams agreed in each direction."""

    __match_args__ = ("streams_out", "streams_in")

    cdef readonly int streams_out
    cdef readonly int streams_in


cdef class Message(Event):
    """A whole message arrived."""

    __match_args__ = ("stream", "data", "protocol", "unordered")

    cdef readonly int stream
    cdef readonly bytes data
    cdef readonly unsigned int protocol
    cdef readonly bint unordered


cdef class StreamEvent(Event):
    __match_args__ = ("stream",)

    cdef readonly int stream


cdef class BufferedLow(StreamEvent):
    """`buffered(stream)` fell to the threshold of `set_buffered_low` (default 0) or below."""


cdef class SendRoom(Event):
    """After a `send` that raised BlockingIOError: half of the send buffer is free again."""


cdef class ResetIn(StreamEvent):
    """The peer reset its side of the stream (RFC 6525); all messages before it were delivered."""


cdef class ResetOut(StreamEvent):
    """Our reset of the stream is done; it can be used anew."""


cdef class ResetFailed(StreamEvent):
    """The peer refused to reset the stream."""


cdef class Restarted(Event):
    """The peer began anew in this one's place (RFC 9260 section 5.2); data in flight may be lost."""


cdef class Abandoned(StreamEvent):
    """A partially reliable message of the stream was given up (RFC 3758)."""


cdef class Closed(Event):
    """The association ended: `error` 0 for a graceful end, 0xffff for a peer that does not answer, else an
    error cause of RFC 9260 section 3.3.10; `reason` says it in words."""

    __match_args__ = ("error", "reason")

    cdef readonly int error
    cdef readonly str reason


cdef dict STREAM_EVENTS = {
    RT_SCTP_EVENT_BUFFERED_LOW: BufferedLow,
    RT_SCTP_EVENT_RESET_IN: ResetIn,
    RT_SCTP_EVENT_RESET_OUT: ResetOut,
    RT_SCTP_EVENT_RESET_FAILED: ResetFailed,
    RT_SCTP_EVENT_ABANDONED: Abandoned,
}


cdef Event make_event(rt_sctp *sctp, const rt_sctp_event *event):
    cdef Connected connected
    cdef Message message
    cdef StreamEvent one
    cdef Closed closed
    if event.type == RT_SCTP_EVENT_MESSAGE:
        message = Message.__new__(Message)
        message.stream = event.message.stream
        message.protocol = event.message.protocol
        message.unordered = event.message.flags & RT_MESSAGE_UNORDERED != 0
        message.data = PyBytes_FromStringAndSize(<const char *>event.message.data, event.message.size)
        return message
    if event.type == RT_SCTP_EVENT_CONNECTED:
        connected = Connected.__new__(Connected)
        connected.streams_out = rt_sctp_streams_out(sctp)
        connected.streams_in = rt_sctp_streams_in(sctp)
        return connected
    if event.type == RT_SCTP_EVENT_CLOSED:
        closed = Closed.__new__(Closed)
        closed.error = event.error
        closed.reason = event.text.decode("utf-8", "replace")
        return closed
    if event.type == RT_SCTP_EVENT_SEND_ROOM:
        return SendRoom.__new__(SendRoom)
    if event.type == RT_SCTP_EVENT_RESTARTED:
        return Restarted.__new__(Restarted)
    kind = STREAM_EVENTS[event.type]
    one = kind.__new__(kind)
    one.stream = event.stream
    return one


cdef class Association:
    """One end of an SCTP association. Not for several threads at a time.

    Sizes are in bytes, times in seconds. `send_buffer` bounds what `send` accepts and is not yet
    acknowledged; `receive_buffer` bounds what the peer may send before it is taken. `zero_checksum` and
    `interleaving` tell the peer that this end takes packets without checksum (RFC 9653: only over DTLS) and
    I-DATA (RFC 8260). `seed` makes the association's random choices repeatable (32 bytes; default: from the
    operating system). `ValueError` for anything out of its range.
    """

    cdef rt_sctp *sctp
    cdef rt_random random
    cdef rt_batch batch
    cdef rt_packet packets[BATCH]
    cdef uint8_t *memory

    def __cinit__(
        self,
        *,
        local_port=5000,
        remote_port=5000,
        mtu=1163,
        max_mtu=None,
        streams=65535,
        receive_buffer=4 * 1024 * 1024,
        send_buffer=4 * 1024 * 1024,
        max_message_size=1024 * 1024,
        zero_checksum=True,
        interleaving=True,
        rto_initial=0.5,
        rto_min=0.2,
        rto_max=60.0,
        heartbeat=30.0,
        sack_delay=0.02,
        cookie_life=60.0,
        max_retransmits=10,
        max_init_retransmits=8,
        seed=None,
    ):
        cdef rt_sctp_config config
        cdef rt_buffer memory
        if max_mtu is None:
            max_mtu = mtu
        for name, value, least, most in (
            ("local_port", local_port, 1, 65535),
            ("remote_port", remote_port, 1, 65535),
            ("mtu", mtu, RT_SCTP_MTU_MIN, RT_SCTP_MTU_MAX),
            ("max_mtu", max_mtu, mtu, RT_SCTP_MTU_MAX),
            ("streams", streams, 1, 65535),
            ("receive_buffer", receive_buffer, 4096, 0x7FFFFFFF),
            ("send_buffer", send_buffer, 1, 0x7FFFFFFF),
            ("max_message_size", max_message_size, 1, 0x7FFFFFFF),
            ("max_retransmits", max_retransmits, 0, 65535),
            ("max_init_retransmits", max_init_retransmits, 0, 65535),
        ):
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an int, not {type(value).__name__}")
            if not least <= value <= most:
                raise ValueError(f"{name} must be between {least} and {most}, not {value}")
        if not 0 < rto_min <= rto_initial <= rto_max:
            raise ValueError("0 < rto_min <= rto_initial <= rto_max does not hold")
        if not 0 <= sack_delay <= 0.5:
            raise ValueError(f"sack_delay must be between 0 and 0.5 (RFC 9260 section 6.2), not {sack_delay}")
        if not cookie_life > 0:
            raise ValueError(f"cookie_life must be positive, not {cookie_life}")
        if heartbeat is not None and not heartbeat > 0:
            raise ValueError(f"heartbeat must be positive or None, not {heartbeat}")
        cdef bytes start = urandom(RT_RANDOM_SEED) if seed is None else bytes(seed)
        if len(start) != RT_RANDOM_SEED:
            raise ValueError(f"seed must be {RT_RANDOM_SEED} bytes, not {len(start)}")
        rt_random_init(&self.random, start)

        rt_sctp_config_default(&config)
        config.random = &self.random
        config.local_port = local_port
        config.remote_port = remote_port
        config.mtu = mtu
        config.max_mtu = max_mtu
        config.streams = streams
        config.receive_buffer = receive_buffer
        config.send_buffer = send_buffer
        config.max_message_size = max_message_size
        config.zero_checksum = zero_checksum
        config.interleaving = interleaving
        config.rto_initial = to_time(rto_initial, "rto_initial")
        config.rto_min = to_time(rto_min, "rto_min")
        config.rto_max = to_time(rto_max, "rto_max")
        config.heartbeat = RT_NEVER if heartbeat is None else to_time(heartbeat, "heartbeat")
        config.sack_delay = to_time(sack_delay, "sack_delay")
        config.cookie_life = to_time(cookie_life, "cookie_life")
        config.max_retransmits = max_retransmits
        config.max_init_retransmits = max_init_retransmits
        memory.size = <size_t>BATCH * config.max_mtu
        self.memory = memory.data = <uint8_t *>malloc(memory.size)
        self.sctp = rt_sctp_new(&config)
        if self.memory == NULL or self.sctp == NULL:
            raise MemoryError("no memory for an association")
        rt_batch_init(&self.batch, memory, self.packets, BATCH)

    def __dealloc__(self):
        rt_sctp_free(self.sctp)
        free(self.memory)

    def connect(self, double now):
        """Begins: sends INIT. In WebRTC both ends call it (RFC 9260 section 5.2.1).

        Does nothing if the association has begun already: the peer may have been faster. ConnectionError if
        it has ended.
        """
        check(rt_sctp_connect(self.sctp, to_time(now, "now")), "connect")

    def shutdown(self, double now):
        """Ends gracefully: after everything queued is acknowledged. ConnectionError if not established."""
        check(rt_sctp_shutdown(self.sctp, to_time(now, "now")), "shutdown")

    def abort(self, double now, reason=b""):
        """Ends at once with ABORT; everything queued is dropped. `reason` travels for the peer's logs."""
        cdef bytes text = bytes(reason)
        cdef rt_span span
        span.data = text
        span.size = len(text)
        rt_sctp_abort(self.sctp, span, to_time(now, "now"))

    def send(
        self, stream, data, double now, *, protocol=0, ordered=True, max_retransmits=None, lifetime=None
    ):
        """Queues one message of a stream, whole or not at all. Any object with the buffer protocol, copied.

        `protocol` is the payload protocol identifier (RFC 8831 section 8). `max_retransmits` and `lifetime`
        (seconds) make it partially reliable (RFC 7496, 3758). BlockingIOError when the send buffer is full:
        wait for `SendRoom`. ValueError for an empty message, an unknown stream, or one that is too large.
        ConnectionError when the association has ended or the stream is being reset.
        """
        cdef rt_sctp_send_info info
        cdef rt_status status
        cdef rt_span span
        cdef rt_time time = to_time(now, "now")
        cdef Py_buffer view
        if not 0 <= stream <= 65535:
            raise ValueError(f"stream must be between 0 and 65535, not {stream}")
        if not 0 <= protocol <= 0xFFFFFFFF:
            raise ValueError(f"protocol must be between 0 and 2^32 - 1, not {protocol}")
        if max_retransmits is not None and not 0 <= max_retransmits <= 0x7FFFFFFF:
            raise ValueError(f"max_retransmits must be between 0 and 2^31 - 1, not {max_retransmits}")
        if lifetime is not None and not lifetime >= 0:
            raise ValueError(f"lifetime must not be negative, not {lifetime}")
        info.protocol = protocol
        info.stream = stream
        info.unordered = not ordered
        info.max_retransmits = -1 if max_retransmits is None else max_retransmits
        info.lifetime = RT_NEVER if lifetime is None else to_time(lifetime, "lifetime")
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        span.data = <const uint8_t *>view.buf
        span.size = <size_t>view.len
        status = rt_sctp_send(self.sctp, &info, span, time)
        PyBuffer_Release(&view)
        check(status, "send")

    def set_priority(self, uint16_t stream, uint16_t priority):
        """The stream's weight in the scheduler (RFC 8831 section 6.4: 128, 256, 512, 1024; default 256)."""
        if priority == 0:
            raise ValueError("priority must not be 0")
        rt_sctp_set_priority(self.sctp, stream, priority)

    def set_remote_max_message_size(self, uint32_t size):
        """The largest message that the peer takes (SDP max-message-size); 0: no limit."""
        rt_sctp_set_remote_max_message_size(self.sctp, size)

    def buffered(self, uint16_t stream):
        """Bytes given to `send` of this stream and not yet sent for the first time (W3C bufferedAmount)."""
        return rt_sctp_buffered(self.sctp, stream)

    def set_buffered_low(self, uint16_t stream, uint32_t threshold):
        """Asks for `BufferedLow` whenever `buffered(stream)` falls to `threshold` or below."""
        rt_sctp_set_buffered_low(self.sctp, stream, threshold)

    @property
    def send_room(self):
        """Bytes that `send` accepts at once."""
        return rt_sctp_send_room(self.sctp)

    def reset_stream(self, uint16_t stream, double now):
        """Closes our direction of the stream after what was queued on it (RFC 6525); ends with `ResetOut`.

        A peer that cannot do it gives `ResetFailed`. ConnectionError when the association has ended,
        ValueError for a stream that was not agreed.
        """
        check(rt_sctp_reset_stream(self.sctp, stream, to_time(now, "now")), "reset_stream")

    def release(self, size_t size, double now):
        """The application has consumed `size` bytes of messages taken by `events(release=False)`."""
        rt_sctp_release(self.sctp, size, to_time(now, "now"))

    def receive(self, packet, double now):
        """One SCTP packet came in, any object with the buffer protocol.

        False when it was dropped: malformed, a wrong checksum or tag, or out of state; `stats()` counts why.
        """
        cdef rt_status status
        cdef rt_span span
        cdef rt_time time = to_time(now, "now")
        cdef Py_buffer view
        PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE)
        span.data = <const uint8_t *>view.buf
        span.size = <size_t>view.len
        status = rt_sctp_receive(self.sctp, span, time)
        PyBuffer_Release(&view)
        if status == RT_NO_MEMORY:
            check(status, "receive")
        return status == RT_OK

    def receive_batch(self, packets, double now):
        """Packets that came in together, acknowledged together. Returns how many were not dropped."""
        cdef int taken = 0
        for packet in packets:
            taken += self.receive(packet, now)
        return taken

    def transmit(self, double now):
        """All packets that are to be sent now, as a list of bytes; empty when there is nothing to send."""
        cdef rt_time time = to_time(now, "now")
        cdef uint32_t i
        cdef const char *data
        cdef list out = []
        while True:
            rt_batch_reset(&self.batch)
            if rt_sctp_transmit(self.sctp, &self.batch, time) == 0:
                return out
            for i in range(self.batch.count):
                data = <const char *>self.packets[i].data
                out.append(PyBytes_FromStringAndSize(data, self.packets[i].size))

    @property
    def deadline(self):
        """When `expire` is due, in seconds of the caller's clock; None: never."""
        return from_deadline(rt_sctp_deadline(self.sctp))

    def expire(self, double now):
        """The deadline has come. Too early is harmless. Call `transmit` afterwards."""
        rt_sctp_expire(self.sctp, to_time(now, "now"))

    def events(self, double now, *, release=True):
        """What has happened since the last call, as a list of `Event`, in order.

        Messages count against the receive window until they are taken here. With `release` false they count
        further, until `release()` is called with their sizes: so a slow application slows the peer.
        """
        cdef rt_sctp_event event
        cdef rt_time time = to_time(now, "now")
        cdef size_t size
        cdef list out = []
        while rt_sctp_event_next(self.sctp, &event):
            try:
                out.append(make_event(self.sctp, &event))
            finally:
                if event.type == RT_SCTP_EVENT_MESSAGE:
                    size = event.message.size
                    rt_message_free(event.message)
                    if release:
                        rt_sctp_release(self.sctp, size, time)
        return out

    @property
    def state(self):
        """RFC 9260 section 4: "closed", "cookie-wait", "cookie-echoed", "established", "shutdown-pending",
        "shutdown-sent", "shutdown-received", "shutdown-ack-sent"."""
        return STATES[rt_sctp_get_state(self.sctp)]

    @property
    def streams_out(self):
        """Outgoing streams agreed; 0 before the association is established."""
        return rt_sctp_streams_out(self.sctp)

    @property
    def streams_in(self):
        """Incoming streams agreed; 0 before the association is established."""
        return rt_sctp_streams_in(self.sctp)

    def stats(self):
        """Counters since the beginning and the present windows, as a dict; sizes in bytes, times in seconds.

        `smoothed_round_trip` is None until it is known. `malformed`, `bad_checksum`, `bad_tag`, `unexpected`
        and `out_of_window` count what was dropped.
        """
        cdef rt_sctp_stats s
        rt_sctp_get_stats(self.sctp, &s)
        return {
            "packets_sent": s.packets_sent,
            "packets_received": s.packets_received,
            "bytes_sent": s.bytes_sent,
            "bytes_received": s.bytes_received,
            "messages_sent": s.messages_sent,
            "messages_received": s.messages_received,
            "payload_sent": s.payload_sent,
            "payload_received": s.payload_received,
            "chunks_retransmitted": s.chunks_retransmitted,
            "fast_retransmits": s.fast_retransmits,
            "timeouts": s.timeouts,
            "tail_probes": s.tail_probes,
            "spurious_retransmits": s.spurious_retransmits,
            "messages_abandoned": s.messages_abandoned,
            "duplicate_chunks": s.duplicate_chunks,
            "malformed": s.malformed,
            "bad_checksum": s.bad_checksum,
            "bad_tag": s.bad_tag,
            "unexpected": s.unexpected,
            "out_of_window": s.out_of_window,
            "congestion_window": s.congestion_window,
            "slow_start_threshold": s.slow_start_threshold,
            "peer_window": s.peer_window,
            "bytes_in_flight": s.bytes_in_flight,
            "unsent": s.unsent,
            "mtu": s.mtu,
            "smoothed_round_trip": from_time(s.smoothed_round_trip) if s.smoothed_round_trip else None,
            "rto": from_time(s.rto),
            "receive_buffered": s.receive_buffered,
            "zero_checksum_in": bool(s.zero_checksum_in),
            "zero_checksum_out": bool(s.zero_checksum_out),
            "interleaving": bool(s.interleaving),
            "partial_reliability": bool(s.partial_reliability),
            "stream_reset": bool(s.stream_reset),
        }


cdef class Chunk:
    """One chunk of a packet, for inspection: its bytes and, for the kinds that are known, its fields."""

    cdef readonly int type
    cdef readonly int flags
    cdef readonly bytes value
    cdef readonly dict fields

    @property
    def name(self):
        """As in the RFC: "DATA", "INIT-ACK", ...; the number for a type that is not known."""
        return CHUNK_NAMES.get(self.type, str(self.type))

    def __repr__(self):
        return f"<Chunk {self.name} flags={self.flags} {self.fields}>"


cdef class Packet:
    """A parsed SCTP packet (RFC 9260 section 3), for inspection."""

    cdef readonly int source_port
    cdef readonly int destination_port
    cdef readonly unsigned int tag
    cdef readonly unsigned int checksum
    cdef readonly bint checksum_ok
    cdef readonly tuple chunks

    def __repr__(self):
        names = " ".join(chunk.name for chunk in self.chunks)
        return f"<Packet {self.source_port}->{self.destination_port} tag={self.tag:#010x} {names}>"


cdef list parse_params(rt_span span):
    cdef rt_reader reader = rt_reader_of(span)
    cdef rt_sctp_param param
    cdef list out = []
    while rt_sctp_next_param(&reader, &param):
        out.append((param.type, take_span(param.value)))
    if reader.failed:
        raise ValueError("a parameter's length does not fit its chunk")
    return out


cdef dict parse_fields(const rt_sctp_chunk *chunk):
    cdef rt_sctp_data data
    cdef rt_sctp_init init
    cdef rt_sctp_sack sack
    cdef rt_sctp_forward forward
    cdef rt_sctp_skip skip
    cdef rt_sctp_gap gap
    cdef size_t i
    if chunk.type in (RT_SCTP_DATA, RT_SCTP_I_DATA):
        if not rt_sctp_parse_data(chunk, &data):
            raise ValueError("malformed DATA chunk")
        fields = {
            "tsn": data.tsn,
            "stream": data.stream,
            "begin": chunk.flags & 2 != 0,
            "end": chunk.flags & 1 != 0,
            "unordered": chunk.flags & 4 != 0,
            "mid" if data.interleaved else "ssn": data.mid,
            "protocol": data.protocol,
            "payload": take_span(data.payload),
        }
        if data.interleaved:
            fields["fsn"] = data.fsn
        return fields
    if chunk.type in (RT_SCTP_INIT, RT_SCTP_INIT_ACK):
        if not rt_sctp_parse_init(chunk, &init):
            raise ValueError("malformed INIT chunk")
        return {
            "tag": init.tag,
            "window": init.window,
            "streams_out": init.streams_out,
            "streams_in": init.streams_in,
            "tsn": init.tsn,
            "params": parse_params(init.params),
        }
    if chunk.type == RT_SCTP_SACK:
        if not rt_sctp_parse_sack(chunk, &sack):
            raise ValueError("malformed SACK chunk")
        gaps = []
        for i in range(sack.gap_count):
            gap = rt_sctp_sack_gap(&sack, i)
            gaps.append((gap.start, gap.end))
        return {
            "cumulative_tsn": sack.cumulative_tsn,
            "window": sack.window,
            "gaps": gaps,
            "duplicates": [rt_sctp_sack_duplicate(&sack, i) for i in range(sack.duplicate_count)],
        }
    if chunk.type in (RT_SCTP_FORWARD_TSN, RT_SCTP_I_FORWARD_TSN):
        if not rt_sctp_parse_forward(chunk, &forward):
            raise ValueError("malformed FORWARD-TSN chunk")
        skips = []
        for i in range(forward.count):
            skip = rt_sctp_forward_skip(&forward, i)
            skips.append((skip.stream, skip.mid, bool(skip.unordered)))
        return {"cumulative_tsn": forward.cumulative_tsn, "skips": skips}
    if chunk.type in PARAM_CHUNKS:
        return {"params": parse_params(chunk.value)}
    return {}


def parse_packet(data):
    """Parses one SCTP packet into a `Packet`, for tests and tools. `ValueError` if it breaks the format."""
    cdef bytes packet = bytes(data)
    cdef rt_span span
    cdef rt_reader reader
    cdef rt_sctp_header header
    cdef rt_sctp_chunk raw
    cdef Chunk chunk
    cdef Packet out = Packet.__new__(Packet)
    cdef list chunks = []
    span.data = packet
    span.size = len(packet)
    reader = rt_reader_of(span)
    if not rt_sctp_read_header(&reader, &header):
        raise ValueError(f"{len(packet)} bytes are too short for an SCTP packet")
    while rt_sctp_next_chunk(&reader, &raw):
        chunk = Chunk.__new__(Chunk)
        chunk.type = raw.type
        chunk.flags = raw.flags
        chunk.value = take_span(raw.value)
        chunk.fields = parse_fields(&raw)
        chunks.append(chunk)
    if reader.failed:
        raise ValueError("a chunk's length does not fit the packet")
    out.source_port = header.source_port
    out.destination_port = header.destination_port
    out.tag = header.tag
    out.checksum = header.checksum
    out.checksum_ok = rt_sctp_checksum_ok(span)
    out.chunks = tuple(chunks)
    return out
