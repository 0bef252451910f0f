# cython: language_level=3, boundscheck=False, wraparound=False
"""How much may be sent: congestion control (GCC) as a machine of its own, for any transport with feedback.

`Bandwidth` is the sending end: packets as they leave, and the feedback on them, go in; a target comes out.
`Estimate` is the delay-based part alone, for a receiving end that makes REMB. Neither knows a clock or a
socket: times are seconds of any monotonic clock.
"""

from libc.math cimport llrint
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from rtcore.native.base cimport (
    RT_OK,
    from_deadline,
    rt_reader,
    rt_reader_of,
    rt_span_of,
    rt_status,
    rt_time,
    to_time,
)


cdef extern from "proto/estimate.h" nogil:
    ctypedef struct rt_estimate:
        pass

    rt_estimate *rt_estimate_new(uint64_t min, uint64_t start, uint64_t max)
    void rt_estimate_free(rt_estimate *estimate)
    void rt_estimate_packet(rt_estimate *estimate, rt_time sent, rt_time arrived, size_t size, rt_time now)
    void rt_estimate_abs_send_time(rt_estimate *estimate, uint32_t stamp, rt_time arrived, size_t size)
    void rt_estimate_set_round_trip(rt_estimate *estimate, rt_time round_trip)
    uint64_t rt_estimate_bitrate(const rt_estimate *estimate)
    uint64_t rt_estimate_received(const rt_estimate *estimate, rt_time now)
    int rt_estimate_state(const rt_estimate *estimate)


cdef extern from "wire/rtcp.h" nogil:
    enum:
        RT_RTCP_SR
        RT_RTCP_RR
        RT_RTCP_RTPFB
        RT_RTCP_PSFB
        RT_RTPFB_TWCC
        RT_PSFB_AFB

    ctypedef struct rt_rtcp:
        uint8_t type
        uint8_t count

    ctypedef struct rt_rtcp_feedback:
        pass

    ctypedef struct rt_rtcp_twcc:
        pass

    ctypedef struct rt_rtcp_remb:
        uint64_t bitrate

    ctypedef struct rt_rtcp_report:
        uint8_t blocks

    ctypedef struct rt_rtcp_block:
        uint8_t fraction_lost

    bint rt_rtcp_next(rt_reader *datagram, rt_rtcp *out, rt_status *status)
    rt_status rt_rtcp_feedback_read(const rt_rtcp *packet, rt_rtcp_feedback *out)
    rt_status rt_rtcp_twcc_read(const rt_rtcp_feedback *feedback, rt_rtcp_twcc *out)
    rt_status rt_rtcp_remb_read(const rt_rtcp_feedback *feedback, rt_rtcp_remb *out)
    rt_status rt_rtcp_report_read(const rt_rtcp *packet, rt_rtcp_report *out)
    void rt_rtcp_report_block(const rt_rtcp_report *report, uint8_t index, rt_rtcp_block *out)


cdef extern from "proto/bandwidth.h" nogil:
    ctypedef struct rt_bandwidth:
        pass

    ctypedef struct rt_bandwidth_config:
        uint64_t min
        uint64_t start
        uint64_t max

    ctypedef struct rt_bandwidth_stats:
        uint64_t target
        uint64_t delay_based
        uint64_t loss_based
        uint64_t remb
        uint64_t acknowledged
        uint64_t feedback
        uint64_t feedback_malformed
        uint64_t packets_lost
        uint64_t probes
        rt_time round_trip
        int state

    rt_bandwidth *rt_bandwidth_new(const rt_bandwidth_config *config, rt_time now)
    void rt_bandwidth_free(rt_bandwidth *bandwidth)
    void rt_bandwidth_set_limits(
        rt_bandwidth *bandwidth, uint64_t min, uint64_t start, uint64_t max, rt_time now
    )
    void rt_bandwidth_sent(rt_bandwidth *bandwidth, uint16_t sequence, size_t size, bint probe, rt_time now)
    rt_status rt_bandwidth_twcc(rt_bandwidth *bandwidth, const rt_rtcp_twcc *feedback, rt_time now)
    void rt_bandwidth_remb(rt_bandwidth *bandwidth, uint64_t bitrate, rt_time now)
    void rt_bandwidth_report(rt_bandwidth *bandwidth, uint8_t fraction, rt_time round_trip, rt_time now)
    uint64_t rt_bandwidth_target(const rt_bandwidth *bandwidth)
    uint64_t rt_bandwidth_pacing_rate(const rt_bandwidth *bandwidth)
    size_t rt_bandwidth_probe(rt_bandwidth *bandwidth, uint64_t *rate, rt_time now)
    rt_time rt_bandwidth_deadline(const rt_bandwidth *bandwidth)
    void rt_bandwidth_expire(rt_bandwidth *bandwidth, rt_time now)
    void rt_bandwidth_get_stats(const rt_bandwidth *bandwidth, rt_bandwidth_stats *out)


cdef enum:
    SIZE_MAX = 65535

cdef tuple STATES = ("underuse", "normal", "overuse")


cdef uint64_t to_rate(object bitrate, str what) except? 0:
    if bitrate is None:
        return 0
    if not 1 <= bitrate <= 10**11:
        raise ValueError(f"{what} must be between 1 and 1e11 bit/s, not {bitrate!r}")
    return int(bitrate)


cdef size_t to_size(object size) except? 0:
    if not 0 <= size <= SIZE_MAX:
        raise ValueError(f"a packet has 0 to 65,535 bytes, not {size!r}")
    return size


cdef object from_rate(uint64_t rate):
    return rate if rate else None


cdef class Estimate:
    """The free bandwidth of a path, from when packets were sent and when they arrived
    (draft-ietf-rmcat-gcc-02).

    Rates are bit/s, times seconds; the two ends' clocks need nothing in common. `ValueError` for a rate or
    time out of range. One thread at a time.
    """

    cdef rt_estimate *estimate

    def __cinit__(self, *, min_bitrate=30_000, start_bitrate=300_000, max_bitrate=None):
        cdef uint64_t lowest = to_rate(min_bitrate, "min_bitrate")
        cdef uint64_t first = to_rate(start_bitrate, "start_bitrate")
        cdef uint64_t highest = to_rate(max_bitrate, "max_bitrate")
        self.estimate = rt_estimate_new(lowest, first, highest)
        if self.estimate is NULL:
            raise MemoryError()

    def __dealloc__(self):
        rt_estimate_free(self.estimate)

    def add(self, sent, arrived, size):
        """A packet of `size` bytes. In order of arrival, or nearly so."""
        cdef rt_time at = to_time(arrived, "arrived")
        rt_estimate_packet(self.estimate, to_time(sent, "sent"), at, to_size(size), at)

    def add_abs_send_time(self, abs_send_time, arrived, size):
        """The same with the 24 bits of the header extension abs-send-time."""
        if not 0 <= abs_send_time < 1 << 24:
            raise ValueError(f"abs_send_time has 24 bits, not {abs_send_time!r}")
        rt_estimate_abs_send_time(self.estimate, abs_send_time, to_time(arrived, "arrived"), to_size(size))

    def add_many(self, sent, arrived, sizes):
        """Many packets: three buffers of the same length, of float64, float64 and uint32 (numpy arrays, for
        example). Without the GIL. `ValueError`: lengths or types differ, or a time is none."""
        cdef const double[::1] sent_at = sent
        cdef const double[::1] arrived_at = arrived
        cdef const uint32_t[::1] bytes_each = sizes
        cdef Py_ssize_t i, count = sent_at.shape[0]
        cdef rt_time at
        if arrived_at.shape[0] != count or bytes_each.shape[0] != count:
            raise ValueError("three buffers of the same length are needed")
        with nogil:
            for i in range(count):
                if not (-4e9 < sent_at[i] < 4e9 and -4e9 < arrived_at[i] < 4e9 and bytes_each[i] <= SIZE_MAX):
                    break
            else:
                for i in range(count):
                    at = llrint(arrived_at[i] * 1e9)
                    rt_estimate_packet(self.estimate, llrint(sent_at[i] * 1e9), at, bytes_each[i], at)
                i = count
        if i < count:
            raise ValueError(f"packet {i} has a time or a size out of range")

    def set_round_trip(self, seconds):
        """Known from elsewhere; near the path's capacity the estimate grows by a packet per round trip and
        100 ms."""
        rt_estimate_set_round_trip(self.estimate, to_time(seconds, "round trip"))

    @property
    def bitrate(self):
        """What the path takes, as far as is known; None: not enough was seen yet."""
        return from_rate(rt_estimate_bitrate(self.estimate))

    @property
    def state(self):
        """One of "underuse" (a queue empties), "normal" or "overuse" (a queue grows)."""
        return STATES[rt_estimate_state(self.estimate) + 1]

    def received(self, now):
        """The incoming rate of the last half second, bit/s; None: not enough was seen."""
        return from_rate(rt_estimate_received(self.estimate, to_time(now, "now")))


cdef class Bandwidth:
    """The target bitrate of one transport, from what the other end reports.

    Rates are bit/s, times seconds. Tell it of every packet that leaves, give it every RTCP packet that
    comes, send no more than `target`, and not faster than `pacing_rate`. `ValueError` for a rate or time out
    of range. One thread at a time.
    """

    cdef rt_bandwidth *bandwidth

    def __cinit__(self, now, *, min_bitrate=30_000, start_bitrate=300_000, max_bitrate=None):
        cdef rt_bandwidth_config config
        config.min = to_rate(min_bitrate, "min_bitrate")
        config.start = to_rate(start_bitrate, "start_bitrate")
        config.max = to_rate(max_bitrate, "max_bitrate")
        self.bandwidth = rt_bandwidth_new(&config, to_time(now, "now"))
        if self.bandwidth is NULL:
            raise MemoryError()

    def __dealloc__(self):
        rt_bandwidth_free(self.bandwidth)

    def sent(self, transport_sequence, size, now, *, probe=False):
        """A packet leaves, `size` bytes with its headers, under its transport-wide sequence number."""
        cdef uint16_t sequence = transport_sequence & 0xFFFF
        rt_bandwidth_sent(self.bandwidth, sequence, to_size(size), probe, to_time(now, "now"))

    def receive(self, packet, now, *, round_trip=0.0):
        """An RTCP datagram, compound or single. Transport-wide feedback, REMB and report blocks are taken,
        with `round_trip` for the blocks if it is known; the rest is passed over. Returns how many of these
        there were. `ValueError`: a malformed one, at which the reading ends."""
        cdef const uint8_t[::1] view = memoryview(packet).cast("B")
        cdef rt_time at = to_time(now, "now"), trip = to_time(round_trip, "round_trip")
        if view.shape[0] == 0:
            raise ValueError("an empty datagram")
        cdef rt_reader reader = rt_reader_of(rt_span_of(&view[0], view.shape[0]))
        cdef rt_rtcp rtcp
        cdef rt_status status = RT_OK
        cdef int taken = 0
        while status == RT_OK and rt_rtcp_next(&reader, &rtcp, &status):
            taken += self.take(&rtcp, trip, at, &status)
        if status != RT_OK:
            raise ValueError("malformed RTCP")
        return taken

    cdef int take(self, const rt_rtcp *rtcp, rt_time round_trip, rt_time now, rt_status *status):
        cdef rt_rtcp_feedback feedback
        cdef rt_rtcp_twcc twcc
        cdef rt_rtcp_remb remb
        cdef rt_rtcp_report report
        cdef rt_rtcp_block block
        cdef uint8_t i
        if rtcp.type == RT_RTCP_RTPFB and rtcp.count == RT_RTPFB_TWCC:
            status[0] = rt_rtcp_feedback_read(rtcp, &feedback)
            if status[0] == RT_OK:
                status[0] = rt_rtcp_twcc_read(&feedback, &twcc)
            if status[0] == RT_OK:
                status[0] = rt_bandwidth_twcc(self.bandwidth, &twcc, now)
            return status[0] == RT_OK
        if rtcp.type == RT_RTCP_PSFB and rtcp.count == RT_PSFB_AFB:
            status[0] = rt_rtcp_feedback_read(rtcp, &feedback)
            if status[0] != RT_OK or rt_rtcp_remb_read(&feedback, &remb) != RT_OK:
                return 0
            rt_bandwidth_remb(self.bandwidth, remb.bitrate, now)
            return 1
        if rtcp.type == RT_RTCP_SR or rtcp.type == RT_RTCP_RR:
            status[0] = rt_rtcp_report_read(rtcp, &report)
            if status[0] != RT_OK:
                return 0
            for i in range(report.blocks):
                rt_rtcp_report_block(&report, i, &block)
                rt_bandwidth_report(self.bandwidth, block.fraction_lost, round_trip, now)
            return report.blocks
        return 0

    def set_limits(self, now, *, min_bitrate=None, start_bitrate=None, max_bitrate=None):
        """None: the least as it was, no new start, no upper limit. A start begins anew from there."""
        rt_bandwidth_set_limits(
            self.bandwidth,
            to_rate(min_bitrate, "min_bitrate"),
            to_rate(start_bitrate, "start_bitrate"),
            to_rate(max_bitrate, "max_bitrate"),
            to_time(now, "now"),
        )

    def probe(self, now):
        """(bytes, rate): so much padding should be sent now, in packets told as `probe`, to learn whether
        the path takes that rate. None: no need. Ask after `receive()`."""
        cdef uint64_t rate = 0
        cdef size_t size = rt_bandwidth_probe(self.bandwidth, &rate, to_time(now, "now"))
        return (size, rate) if size else None

    @property
    def target(self):
        """What may be sent, bit/s."""
        return rt_bandwidth_target(self.bandwidth)

    @property
    def pacing_rate(self):
        """How fast bursts may leave, bit/s."""
        return rt_bandwidth_pacing_rate(self.bandwidth)

    @property
    def deadline(self):
        """When to call `expire()`; None: not now."""
        return from_deadline(rt_bandwidth_deadline(self.bandwidth))

    def expire(self, now):
        """The deadline has come."""
        rt_bandwidth_expire(self.bandwidth, to_time(now, "now"))

    def stats(self):
        """target, delay_based, loss_based, remb, acknowledged (bit/s, None: not known); feedback,
        feedback_malformed, packets_lost, probes (counts); round_trip (seconds); state as in `Estimate`."""
        cdef rt_bandwidth_stats stats
        rt_bandwidth_get_stats(self.bandwidth, &stats)
        return {
            "target": stats.target,
            "delay_based": from_rate(stats.delay_based),
            "loss_based": from_rate(stats.loss_based),
            "remb": from_rate(stats.remb),
            "acknowledged": from_rate(stats.acknowledged),
            "feedback": stats.feedback,
            "feedback_malformed": stats.feedback_malformed,
            "packets_lost": stats.packets_lost,
            "probes": stats.probes,
            "round_trip": stats.round_trip / 1e9,
            "state": STATES[stats.state + 1],
        }
