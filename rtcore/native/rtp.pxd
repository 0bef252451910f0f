# cython: language_level=3
"""C declarations of RTP packets and their header extensions: for all modules whose C functions use them."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rtcore.native.base cimport rt_span, rt_status, rt_writer


cdef extern from "wire/rtp.h" nogil:
    enum:
        RT_RTP_CSRCS_MAX
        RT_RTP_TEXT_MAX

    ctypedef enum rt_rtp_extension:
        RT_RTP_MID
        RT_RTP_RID
        RT_RTP_REPAIRED_RID
        RT_RTP_AUDIO_LEVEL
        RT_RTP_ABS_SEND_TIME
        RT_RTP_TRANSPORT_SEQUENCE
        RT_RTP_VIDEO_ORIENTATION
        RT_RTP_PLAYOUT_DELAY
        RT_RTP_ABS_CAPTURE_TIME
        RT_RTP_DEPENDENCY_DESCRIPTOR
        RT_RTP_EXTENSIONS

    ctypedef struct rt_rtp_extension_map:
        uint8_t id[RT_RTP_EXTENSIONS]

    ctypedef struct rt_rtp_text:
        uint8_t size
        char data[RT_RTP_TEXT_MAX]

    ctypedef struct rt_rtp_values:
        uint32_t present
        uint32_t abs_send_time
        uint16_t transport_sequence
        uint8_t audio_level
        bint voice
        uint8_t orientation
        uint16_t playout_min, playout_max
        rt_rtp_text mid, rid, repaired_rid
        uint64_t capture_time
        int64_t capture_offset
        rt_span dependency_descriptor

    const uint32_t RT_RTP_CAPTURE_OFFSET

    ctypedef struct rt_rtp:
        bint marker
        uint8_t payload_type, csrc_count, padding
        uint16_t sequence, profile
        uint32_t timestamp, ssrc
        rt_span csrcs, extensions, payload

    bint rt_is_rtcp(rt_span packet)
    rt_rtp_extension rt_rtp_extension_of(rt_span uri)
    const char *rt_rtp_extension_uri(rt_rtp_extension extension)
    rt_status rt_rtp_extension_map_set(rt_rtp_extension_map *map, rt_rtp_extension extension, uint8_t id)
    rt_status rt_rtp_parse(rt_span packet, rt_rtp *out)
    rt_status rt_rtp_read_values(const rt_rtp *packet, const rt_rtp_extension_map *map, rt_rtp_values *out)
    rt_status rt_rtp_next_element(const rt_rtp *packet, size_t *at, uint8_t *id, rt_span *value)
    size_t rt_rtp_header_size(
        const rt_rtp *packet, const rt_rtp_extension_map *map, const rt_rtp_values *values
    )
    rt_status rt_rtp_write_header(
        rt_writer *out, const rt_rtp *packet, const rt_rtp_extension_map *map, const rt_rtp_values *values
    )
    rt_status rt_rtx_unwrap(rt_rtp *packet, uint32_t ssrc, uint8_t payload_type)
    uint64_t rt_ntp_from_ns(uint64_t nanoseconds)
    uint64_t rt_ntp_to_ns(uint64_t ntp)
