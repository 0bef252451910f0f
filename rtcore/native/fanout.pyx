# cython: language_level=3
"""One sequence of encoded frames to any number of peers of one worker (native/io/fanout.h).

Each frame is cut into packets once, and all peers' packets leave in common batches. Python is called once
per frame, or not at all if the frames come from another peer (`take_from()`): then they never leave the
worker.
"""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from rtcore.native.base cimport rt_span, rt_span_of, rt_status, rt_time, to_time
from rtcore.native.frame cimport EncodedFrame, codec_of, rt_frame
from rtcore.native.media cimport RT_MEDIA_ENCODINGS, RT_MEDIA_SECTIONS, Media, rt_payload_format
from rtcore.native.worker_core cimport rt_worker, rt_worker_event, rt_worker_now, rt_worker_peer
from rtcore.native.worker_loop cimport Tenant, Worker, check, number


cdef extern from "io/fanout.h" nogil:
    enum:
        RT_MEDIA_ALL

    ctypedef struct rt_fanout:
        pass

    ctypedef struct rt_fanout_stats:
        uint64_t frames
        uint64_t refused
        uint64_t key_frame_requests

    rt_status rt_fanout_new(rt_worker *worker, const rt_payload_format *format, uint64_t tag, rt_fanout **out)
    void rt_fanout_free(rt_fanout *fanout)
    rt_status rt_fanout_add(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding)
    rt_status rt_fanout_remove(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding)
    uint32_t rt_fanout_count(const rt_fanout *fanout)
    rt_status rt_fanout_from(
        rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding, bint also_events
    )
    rt_status rt_fanout_send(rt_fanout *fanout, const rt_frame *frame, rt_span data, rt_time captured)
    bint rt_fanout_key_frame_needed(rt_fanout *fanout)
    uint64_t rt_fanout_bitrate(rt_fanout *fanout)
    void rt_fanout_get_stats(const rt_fanout *fanout, rt_fanout_stats *out)


cdef uint8_t to_section(object section) except? 255:
    return <uint8_t>number(section, 0, RT_MEDIA_SECTIONS - 1, "section")


cdef uint8_t to_encoding(object encoding) except? 255:
    return <uint8_t>number(encoding, 0, RT_MEDIA_ENCODINGS - 1, "encoding")


@cython.final
cdef class Fanout(Tenant):
    """Gives frames of one `format` to sections of many peers.

    The source is the application (`send()`) or a section that a peer receives (`take_from()`). A peer gets
    frames from its first key frame on. `on_key_frame_request()`: some peer needs one, for the application's
    source; `on_bitrate(bitrate)`: the lowest target of all peers has changed, bit/s, 0 while there is none.
    Both are called from `Worker.run()`, where the peers' own handlers hear nothing of these any more. The
    worker keeps the fan-out alive until `close()`, which is idempotent; afterwards all methods raise
    `ConnectionError`. `ValueError`: a format that cannot be sent.
    """

    cdef Worker worker
    cdef rt_fanout *fanout  # NULL: closed
    cdef object on_key_frame_request
    cdef object on_bitrate
    cdef uint64_t told

    def __init__(self, Worker worker not None, format, *, on_key_frame_request=None, on_bitrate=None):
        cdef rt_payload_format wanted
        cdef rt_status status
        if self.worker is not None:
            raise RuntimeError("a Fanout is initialised once")
        memset(&wanted, 0, sizeof(wanted))
        wanted.codec = codec_of(format.codec)
        wanted.clock_rate = number(format.clock_rate, 1, 1000000, "clock_rate")
        wanted.channels = <uint8_t>number(format.channels, 1, 255, "channels")
        wanted.h264_mode = <uint8_t>number(format.packetization_mode, 0, 1, "packetization_mode")
        wanted.ptime = <uint8_t>number(format.ptime, 0, 255, "ptime")
        worker.enter()
        cdef uint64_t tag = worker.next_tag()
        status = rt_fanout_new(worker.handle, &wanted, tag, &self.fanout)
        worker.leave()
        check(status, f"fan-out of {format.codec}")
        worker.house(self, tag)
        self.worker = worker
        self.handler = on_key_frame_request or on_bitrate
        self.on_key_frame_request = on_key_frame_request
        self.on_bitrate = on_bitrate

    cdef int enter(self) except -1:
        if self.fanout is NULL:
            raise ConnectionError("the fan-out is closed")
        self.worker.enter()
        if self.fanout is NULL:  # while we waited
            self.worker.leave()
            raise ConnectionError("the fan-out is closed")
        return 0

    cdef int enter_with(self, Media media) except -1:
        """With the peer of `media`, which must be open and live on the same worker."""
        if media.peer is None or media.peer.worker is not self.worker:
            raise ValueError("the media is of a peer of another worker")
        self.enter()
        if media.peer.peer is NULL:
            self.worker.leave()
            raise ConnectionError("the peer is closed")
        return 0

    cdef void detach(self) noexcept:
        self.fanout = NULL
        self.handler = self.on_key_frame_request = self.on_bitrate = None

    cdef int settle(self) except -1:
        return 0

    cdef int deliver(self, rt_worker_event *event) except -1:
        self.enter()
        cdef bint needed = rt_fanout_key_frame_needed(self.fanout)
        cdef uint64_t bitrate = rt_fanout_bitrate(self.fanout)
        self.worker.leave()
        cdef bint moved = bitrate != self.told
        self.told = bitrate
        on_bitrate = self.on_bitrate
        if needed and self.on_key_frame_request is not None:
            self.on_key_frame_request()
        if moved and on_bitrate is not None:
            on_bitrate(bitrate)
        return 0

    def __len__(self):
        self.enter()
        cdef uint32_t count = rt_fanout_count(self.fanout)
        self.worker.leave()
        return count

    def __bool__(self):
        return self.fanout is not NULL

    def add(self, Media media not None, section, encoding=0):
        """It gets the frames from the next key frame on. Over with its peer. `ValueError`: another worker,
        or it has a source already."""
        cdef uint8_t section_index = to_section(section), encoding_index = to_encoding(encoding)
        self.enter_with(media)
        cdef rt_status status = rt_fanout_add(self.fanout, media.peer.peer, section_index, encoding_index)
        self.worker.leave()
        check(status, f"section {section}, encoding {encoding}")

    def remove(self, Media media not None, section, encoding=0):
        """`ValueError`: it does not get the frames."""
        cdef uint8_t section_index = to_section(section), encoding_index = to_encoding(encoding)
        self.enter_with(media)
        cdef rt_status status = rt_fanout_remove(self.fanout, media.peer.peer, section_index, encoding_index)
        self.worker.leave()
        check(status, f"section {section}, encoding {encoding}")

    def take_from(self, Media media, section=0, encoding=None, *, also_receive=False):
        """Forwards what `media` receives in `section`; key frame requests go back there. Set that section up
        with `passthrough`: a jitter buffer's delay is of no use here. `encoding` None: the one that comes
        first, another once that has been silent for a second. `also_receive`: the section's receiver still
        gets the frames. `media` None: from the application again. `ValueError`: another worker."""
        cdef uint8_t section_index = to_section(section)
        cdef uint8_t encoding_index = <uint8_t>RT_MEDIA_ALL if encoding is None else to_encoding(encoding)
        cdef bint also = also_receive
        cdef rt_status status
        cdef rt_worker_peer *peer = NULL
        if media is None:
            self.enter()
        else:
            self.enter_with(media)
            peer = media.peer.peer
        status = rt_fanout_from(self.fanout, peer, section_index, encoding_index, also)
        self.worker.leave()
        check(status, f"section {section}")

    def send(self, EncodedFrame frame not None, captured=None):
        """One frame to all. What may leave at once has left when this returns; the pacers spread the rest.
        `captured`: when it was taken, in seconds of the core's clock; None: now. `ValueError`: not a frame
        of the format's codec."""
        cdef rt_time taken = rt_worker_now() if captured is None else to_time(captured, "captured")
        cdef rt_span data = rt_span_of(frame.frame.data, frame.frame.size)
        cdef rt_status status
        self.enter()
        with nogil:
            status = rt_fanout_send(self.fanout, frame.frame, data, taken)
        self.worker.leave()
        check(status, f"a {frame.codec} frame")

    def stats(self):
        """consumers, bitrate (the lowest target, bit/s), frames (given out), refused (another codec, or not
        a frame), key_frame_requests."""
        cdef rt_fanout_stats stats
        self.enter()
        rt_fanout_get_stats(self.fanout, &stats)
        cdef uint32_t count = rt_fanout_count(self.fanout)
        cdef uint64_t bitrate = rt_fanout_bitrate(self.fanout)
        self.worker.leave()
        return {
            "consumers": count,
            "bitrate": bitrate,
            "frames": stats.frames,
            "refused": stats.refused,
            "key_frame_requests": stats.key_frame_requests,
        }

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Its peers get no more frames. Idempotent."""
        if self.fanout is NULL:
            return
        self.enter()
        rt_fanout_free(self.fanout)
        self.fanout = NULL
        self.worker.leave()
        self.worker.give_notice(self)
        self.detach()

    def __repr__(self):
        return "<Fanout closed>" if self.fanout is NULL else f"<Fanout to {len(self)}>"
