# cython: language_level=3
"""The media of a peer on a worker (native/peer/media.h): sections, frames in and out, statistics.

A section stands for one m-section of the session description, by a number of the caller's choice (0 to 255).
What was negotiated is told with `set_section()`, again after each negotiation. Frames that come in go to the
section's receiver; everything else to the handler.
"""

cimport cython
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from rtcore.native.base cimport (
    RT_CLOSED,
    RT_EXISTS,
    RT_NOT_FOUND,
    RT_OK,
    rt_span_of,
    to_time,
)
from rtcore.native.frame cimport EncodedFrame, codec_of, frame_from_c, rt_frame_unref
from rtcore.native.media_statistics cimport Snapshot, free_snapshot, take_snapshot, tell_snapshot
from rtcore.native.rtp cimport (
    RT_RTP_ABS_CAPTURE_TIME,
    RT_RTP_ABS_SEND_TIME,
    RT_RTP_AUDIO_LEVEL,
    RT_RTP_DEPENDENCY_DESCRIPTOR,
    RT_RTP_MID,
    RT_RTP_PLAYOUT_DELAY,
    RT_RTP_REPAIRED_RID,
    RT_RTP_RID,
    RT_RTP_TEXT_MAX,
    RT_RTP_TRANSPORT_SEQUENCE,
    RT_RTP_VIDEO_ORIENTATION,
    rt_rtp_extension,
    rt_rtp_extension_map_set,
)
from rtcore.native.srtp cimport srtp_library
from rtcore.native.worker_core cimport (
    RT_MEDIA_EVENT_BITRATE,
    RT_MEDIA_EVENT_DROPPED,
    RT_MEDIA_EVENT_FRAME,
    RT_MEDIA_EVENT_KEY_FRAME,
    RT_MEDIA_EVENT_STREAM,
    rt_media_event,
    rt_peer_media,
    rt_worker_now,
)
from rtcore.native.worker_loop cimport check, number

import time
from typing import NamedTuple

cdef enum:
    ALL_ENCODINGS = 255
    FORMATS_MAX = 128
    SOURCES_MAX = 64

cdef dict EXTENSIONS = {
    "urn:ietf:params:rtp-hdrext:sdes:mid": RT_RTP_MID,
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id": RT_RTP_RID,
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id": RT_RTP_REPAIRED_RID,
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level": RT_RTP_AUDIO_LEVEL,
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": RT_RTP_ABS_SEND_TIME,
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": RT_RTP_TRANSPORT_SEQUENCE,
    "urn:3gpp:video-orientation": RT_RTP_VIDEO_ORIENTATION,
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay": RT_RTP_PLAYOUT_DELAY,
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time": RT_RTP_ABS_CAPTURE_TIME,
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension":
        RT_RTP_DEPENDENCY_DESCRIPTOR,
}
cdef frozenset FEEDBACK = frozenset(("nack", "pli", "fir", "twcc", "remb"))


class Format(NamedTuple):
    """One payload type. `codec` as in `EncodedFrame`, or "red". `feedback`: of "nack", "pli", "fir", "twcc",
    "remb". `packetization_mode` is H.264's; `ptime`: audio, ms per packet, 0: as frames come."""

    payload_type: int
    codec: str
    clock_rate: int
    channels: int = 1
    rtx_payload_type: int | None = None
    feedback: frozenset[str] = frozenset()
    packetization_mode: int = 1
    ptime: int = 0


class Encoding(NamedTuple):
    """One stream that is sent. SSRCs are unique in the connection; `max_bitrate` in bit/s."""

    ssrc: int
    rtx_ssrc: int | None = None
    rid: str = ""
    active: bool = True
    max_bitrate: int | None = None


# ---- arguments ----


cdef int to_text(object text, rt_rtp_text *out, str what) except -1:
    cdef bytes raw = text.encode("ascii")
    if len(raw) > RT_RTP_TEXT_MAX:
        raise ValueError(f"{what} must have at most {RT_RTP_TEXT_MAX} characters, not {text!r}")
    out.size = <uint8_t>len(raw)
    memcpy(out.data, <const char *>raw, out.size)
    return 0


cdef uint64_t to_bitrate(object value, str what) except? 0xFFFFFFFFFFFFFFFF:
    """None is 0: no limit."""
    if value is None:
        return 0
    if not 0 <= value <= 10 ** 12:
        raise ValueError(f"{what} must be bit/s up to 10**12, not {value!r}")
    return value


cdef int to_format(object format, rt_media_format *out) except -1:
    memset(out, 0, sizeof(rt_media_format))
    out.payload_type = <uint8_t>number(format.payload_type, 0, 127, "payload_type")
    out.rtx_payload_type = <uint8_t>RT_MEDIA_NO_FORMAT
    if format.rtx_payload_type is not None:
        out.rtx_payload_type = <uint8_t>number(format.rtx_payload_type, 0, 127, "rtx_payload_type")
    unknown = format.feedback - FEEDBACK
    if unknown:
        raise ValueError(f"feedback is of {', '.join(sorted(FEEDBACK))}, not {', '.join(sorted(unknown))}")
    out.nack = "nack" in format.feedback
    out.pli = "pli" in format.feedback
    out.fir = "fir" in format.feedback
    out.twcc = "twcc" in format.feedback
    out.remb = "remb" in format.feedback
    out.payload.codec = codec_of(format.codec)
    out.payload.clock_rate = number(format.clock_rate, 1, 1000000, "clock_rate")
    out.payload.channels = <uint8_t>number(format.channels, 1, 255, "channels")
    out.payload.h264_mode = <uint8_t>number(format.packetization_mode, 0, 1, "packetization_mode")
    out.payload.ptime = <uint8_t>number(format.ptime, 0, 255, "ptime")
    return 0


cdef int to_encoding(object encoding, rt_media_encoding *out) except -1:
    out.ssrc = number(encoding.ssrc, 1, 0xFFFFFFFF, "ssrc")
    out.rtx_ssrc = 0 if encoding.rtx_ssrc is None else number(encoding.rtx_ssrc, 1, 0xFFFFFFFF, "rtx_ssrc")
    to_text(encoding.rid, &out.rid, "rid")
    out.active = encoding.active
    out.max_bitrate = to_bitrate(encoding.max_bitrate, "max_bitrate")
    return 0


cdef int to_source(object source, rt_media_source *out) except -1:
    ssrc, rtx_ssrc = source
    out.ssrc = number(ssrc, 0, 0xFFFFFFFF, "a source's ssrc")
    out.rtx_ssrc = 0 if rtx_ssrc is None else number(rtx_ssrc, 0, 0xFFFFFFFF, "a source's rtx_ssrc")
    return 0


cdef void *array(size_t count, size_t size) except NULL:
    cdef void *memory = calloc(count + 1, size)
    if memory is NULL:
        raise MemoryError
    return memory


cdef class _Lists:
    """The arrays of a section's configuration, freed with this."""

    cdef rt_media_format *formats
    cdef rt_media_source *sources
    cdef rt_rtp_text *rids
    cdef rt_media_encoding *encodings

    def __dealloc__(self):
        free(self.formats)
        free(self.sources)
        free(self.rids)
        free(self.encodings)

    cdef int fill(
        self, rt_media_section *section, list formats, list sources, list rids, list encodings
    ) except -1:
        number(len(formats), 0, FORMATS_MAX, "the count of formats")
        number(len(sources), 0, SOURCES_MAX, "the count of sources")
        number(len(rids), 0, RT_MEDIA_ENCODINGS, "the count of rids")
        number(len(encodings), 0, RT_MEDIA_ENCODINGS, "the count of encodings")
        self.formats = <rt_media_format *>array(len(formats), sizeof(rt_media_format))
        self.sources = <rt_media_source *>array(len(sources), sizeof(rt_media_source))
        self.rids = <rt_rtp_text *>array(len(rids), sizeof(rt_rtp_text))
        self.encodings = <rt_media_encoding *>array(len(encodings), sizeof(rt_media_encoding))
        for i in range(len(formats)):
            to_format(formats[i], &self.formats[i])
        for i in range(len(sources)):
            to_source(sources[i], &self.sources[i])
        for i in range(len(rids)):
            to_text(rids[i], &self.rids[i], "a rid")
        for i in range(len(encodings)):
            to_encoding(encodings[i], &self.encodings[i])
        section.formats, section.format_count = self.formats, len(formats)
        section.sources, section.source_count = self.sources, len(sources)
        section.rids, section.rid_count = self.rids, len(rids)
        section.encodings, section.encoding_count = self.encodings, len(encodings)
        return 0


# ---- media ----


@cython.final
cdef class Media(Tenant):
    """The media of `peer`; `handler` (see the stub's `MediaHandler`) hears what happens, from `Worker.run()`.

    One per peer, made with its first section: packets that come earlier are counted and dropped. `mtu`:
    largest datagram in bytes, UDP payload, at least 576; bitrates of all that is sent, bit/s. `max_frames`:
    how many frames of a section may wait for the event loop (and no more than 8 MiB of them); the oldest are
    dropped. `ConnectionError` from all methods once the peer is closed, `ValueError` if it has media already.
    """

    def __init__(
        self,
        Peer peer not None,
        handler,
        *,
        cname,
        mtu=1200,
        min_bitrate=30_000,
        start_bitrate=300_000,
        max_bitrate=None,
        max_frames=256,
    ):
        cdef rt_media_config config
        cdef rt_status status
        if self.peer is not None:
            raise RuntimeError("a Media is initialised once")
        rt_media_config_default(&config)
        cdef bytes name = cname.encode("utf-8")
        if not 0 < len(name) < RT_MEDIA_CNAME_MAX:
            raise ValueError(f"cname must have 1 to {RT_MEDIA_CNAME_MAX - 1} bytes, not {cname!r}")
        memcpy(config.cname, <const char *>name, len(name) + 1)
        config.srtp = srtp_library()
        config.mtu = number(mtu, RT_MEDIA_MTU_MIN, 65507, "mtu of media")
        self.min_bitrate = config.min_bitrate = to_bitrate(min_bitrate, "min_bitrate")
        self.start_bitrate = config.start_bitrate = to_bitrate(start_bitrate, "start_bitrate")
        self.max_bitrate = config.max_bitrate = to_bitrate(max_bitrate, "max_bitrate")
        config.max_frames = number(max_frames, 1, 1 << 20, "max_frames")
        peer.enter()
        status = rt_worker_start_media(peer.peer, &config)
        peer.leave()
        check(status, "media")
        self.peer = peer
        self.handler = handler
        self.receivers = []
        peer.media = self

    cdef rt_media *enter(self) except NULL:
        return rt_peer_media(self.peer.enter())

    cdef int leave(self, rt_status status, str what) except -1:
        """Sends what there is to send, and raises what there is to raise."""
        self.peer.flush_and_leave()
        if status == RT_OK:
            return 0
        if status == RT_NOT_FOUND:
            raise ValueError(f"{what}: there is no such section or encoding")
        return check(status, what)

    cdef void detach(self) noexcept:
        self.handler = None
        self.receivers.clear()

    # ---- what is negotiated ----

    def set_section(
        self,
        section,
        *,
        mid,
        kind,
        receive,
        send,
        extensions,
        formats,
        sources=(),
        rids=(),
        send_format=None,
        encodings=(),
        reduced_size=True,
        min_delay=0.0,
        max_delay=2.0,
        passthrough=False,
    ):
        """`kind`: "audio" or "video". `extensions`: header extensions by URI; unknown ones are passed over.
        `formats`: what may be received. `sources`: (SSRC, RTX SSRC) told by the other end; `rids`: those that
        it sends. `passthrough`: frames come as soon as they are whole, without playout delay. `ValueError`
        for what contradicts another section or is out of range."""
        cdef rt_media_section config
        cdef rt_status status
        cdef uint8_t index = <uint8_t>number(section, 0, RT_MEDIA_SECTIONS - 1, "section")
        cdef _Lists lists = _Lists()
        memset(&config, 0, sizeof(config))
        if kind not in ("audio", "video"):
            raise ValueError(f'kind must be "audio" or "video", not {kind!r}')
        config.video = kind == "video"
        config.receive = receive
        config.send = send
        config.reduced_size = reduced_size
        config.passthrough = passthrough
        config.min_delay = to_time(min_delay, "min_delay")
        config.max_delay = to_time(max_delay, "max_delay")
        to_text(mid, &config.mid, "mid")
        for uri, id in extensions.items():
            kind_of = EXTENSIONS.get(uri)
            if kind_of is not None:
                check(
                    rt_rtp_extension_map_set(
                        &config.extensions,
                        <rt_rtp_extension>(<int>kind_of),
                        <uint8_t>number(id, 1, 255, "an extension's id"),
                    ),
                    f"the extension {uri}",
                )
        lists.fill(&config, list(formats), list(sources), list(rids), list(encodings))
        if send_format is not None:
            to_format(send_format, &config.send_format)
        self.peer.enter()
        status = rt_worker_set_section(self.peer.peer, index, &config)
        if status == RT_EXISTS:
            self.peer.leave()
            raise ValueError(f"section {section}: its mid or an SSRC belongs to another section")
        self.leave(status, f"section {section}")

    def remove_section(self, section):
        """Stopped: its streams say BYE. Nothing if it is not there."""
        cdef uint8_t index = <uint8_t>number(section, 0, RT_MEDIA_SECTIONS - 1, "section")
        rt_media_remove_section(self.enter(), index, rt_worker_now())
        self.leave(RT_OK, "remove_section")

    def set_receiver(self, section, receiver):
        """Who takes the section's frames, from `Worker.run()`. None: they are dropped."""
        cdef uint8_t index = <uint8_t>number(section, 0, RT_MEDIA_SECTIONS - 1, "section")
        self.enter()
        self.peer.leave()
        while len(self.receivers) <= index:
            self.receivers.append(None)
        self.receivers[index] = receiver

    # ---- sending ----

    def send(self, section, encoding, EncodedFrame frame not None, captured=None, *, timestamp=None):
        """Sends one frame; the pacer may spread its packets over some milliseconds. `captured`: when it was
        taken, in seconds of the core's clock, for lip sync; None: now. `timestamp`: in the place of the
        frame's own. False while the section does not send or the encoding is inactive. `ValueError`: no such
        encoding, or not a frame of the section's codec."""
        cdef uint8_t section_index = <uint8_t>number(section, 0, RT_MEDIA_SECTIONS - 1, "section")
        cdef uint8_t encoding_index = <uint8_t>number(encoding, 0, RT_MEDIA_ENCODINGS - 1, "encoding")
        cdef rt_frame header
        cdef const rt_frame *told = frame.frame
        cdef rt_time taken = 0
        if captured is not None:
            taken = to_time(captured, "captured")
        if timestamp is not None:
            header = frame.frame[0]  # without its data, which goes beside it
            header.timestamp = timestamp
            told = &header
        cdef rt_media *media = self.enter()
        cdef rt_time now = rt_worker_now()
        if captured is None:
            taken = now
        cdef rt_status status = rt_media_send(
            media,
            section_index,
            encoding_index,
            told,
            rt_span_of(frame.frame.data, frame.frame.size),
            taken,
            now,
        )
        if status == RT_CLOSED:
            self.peer.leave()
            return False
        self.leave(status, f"a {frame.codec} frame in section {section}, encoding {encoding}")
        return True

    def set_encoding(self, section, encoding, *, active=True, max_bitrate=None):
        """Changes one encoding without a negotiation. `max_bitrate` in bit/s; None: no limit. `ValueError`:
        no such encoding."""
        cdef uint8_t section_index = <uint8_t>number(section, 0, RT_MEDIA_SECTIONS - 1, "section")
        cdef uint8_t encoding_index = <uint8_t>number(encoding, 0, RT_MEDIA_ENCODINGS - 1, "encoding")
        cdef bint on = active
        cdef uint64_t most = to_bitrate(max_bitrate, "max_bitrate")
        cdef rt_media *media = self.enter()
        cdef rt_status status = rt_media_set_encoding(
            media, section_index, encoding_index, on, most, rt_worker_now()
        )
        self.leave(status, f"section {section}, encoding {encoding}")

    def set_bitrate(self, *, min_bitrate=None, start_bitrate=None, max_bitrate=None):
        """Limits of the whole connection, bit/s; None: as it was."""
        if min_bitrate is not None:
            self.min_bitrate = to_bitrate(min_bitrate, "min_bitrate")
        if start_bitrate is not None:
            self.start_bitrate = to_bitrate(start_bitrate, "start_bitrate")
        if max_bitrate is not None:
            self.max_bitrate = to_bitrate(max_bitrate, "max_bitrate")
        rt_media_set_bitrate(
            self.enter(), self.min_bitrate, self.start_bitrate, self.max_bitrate, rt_worker_now()
        )
        self.leave(RT_OK, "set_bitrate")

    # ---- receiving ----

    def request_key_frame(self, section, encoding=None):
        """Sends a PLI (or FIR), at most as often as the back-off lets it. None: for all encodings."""
        cdef uint8_t section_index = <uint8_t>number(section, 0, RT_MEDIA_SECTIONS - 1, "section")
        cdef uint8_t encoding_index = ALL_ENCODINGS
        if encoding is not None:
            encoding_index = <uint8_t>number(encoding, 0, RT_MEDIA_ENCODINGS - 1, "encoding")
        cdef rt_media *media = self.enter()
        cdef rt_status status = rt_media_request_key_frame(
            media, section_index, encoding_index, rt_worker_now()
        )
        self.leave(status, f"a key frame of section {section}")

    def set_delay(self, section, *, min_delay=0.0, max_delay=2.0):
        """Bounds of the jitter buffer's delay, seconds."""
        cdef uint8_t index = <uint8_t>number(section, 0, RT_MEDIA_SECTIONS - 1, "section")
        cdef rt_time least = to_time(min_delay, "min_delay"), most = to_time(max_delay, "max_delay")
        cdef rt_status status = rt_media_set_delay(self.enter(), index, least, most)
        self.leave(status, f"the delay of section {section}")

    # ---- events ----

    cdef int deliver(self, rt_worker_event *event) except -1:
        cdef rt_media_event *media = &event.event.media
        cdef int type = media.type
        if type == RT_MEDIA_EVENT_FRAME:
            receiver = self.receivers[media.section] if media.section < len(self.receivers) else None
            if receiver is None:
                rt_frame_unref(media.frame)
            else:
                receiver(frame_from_c(media.frame))
        elif type == RT_MEDIA_EVENT_BITRATE:
            self.handler.on_bitrate(media.section, media.encoding, media.bitrate)
        elif type == RT_MEDIA_EVENT_KEY_FRAME:
            self.handler.on_key_frame_request(media.section, media.encoding)
        elif type == RT_MEDIA_EVENT_STREAM:
            self.handler.on_stream(media.section, media.encoding, media.ssrc)
        elif type == RT_MEDIA_EVENT_DROPPED:
            self.handler.on_frames_dropped(media.section, media.count)
        else:
            self.handler.on_stream_ended(media.section, media.encoding, media.ssrc)
        return 0

    # ---- statistics ----

    def stats(self):
        """transport: the members of rt_media_stats (native/peer/media.h), `bandwidth` nested. inbound,
        outbound: lists of dicts with section, encoding, rid and the members of rt_receiver_stats and
        rt_sender_stats; times in seconds. now: the core's clock; wall: seconds since 1970 at that moment."""
        cdef Snapshot snapshot
        cdef rt_media *media = self.enter()
        cdef rt_time now = rt_worker_now()
        cdef bint taken = take_snapshot(media, &snapshot, now)
        self.peer.leave()
        try:
            if not taken:
                raise MemoryError
            told = tell_snapshot(&snapshot)
        finally:
            free_snapshot(&snapshot)
        told["now"] = now / 1e9
        told["wall"] = time.time()
        return told

    def __repr__(self):
        return f"<Media of {self.peer!r}>"
