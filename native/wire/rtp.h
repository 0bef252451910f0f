/* RTP packets (RFC 3550 section 5) with header extensions (RFC 8285), retransmission (RFC 4588), and the
 * first look that tells RTP from RTCP (RFC 5761).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                           timestamp                           |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                             SSRC                              |
 *   +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *   |                         CSRC, 0 to 15                         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | profile 0xBEDE or 0x100x      |  length in 32-bit words       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Pure functions; spans borrow from the packet. Parsing and writing allocate nothing.
 */
#ifndef RT_WIRE_RTP_H
#define RT_WIRE_RTP_H

#include "base/span.h"
#include "base/status.h"

#define RT_RTP_HEADER 12
#define RT_RTP_CSRCS_MAX 15
#define RT_RTP_TEXT_MAX 16 /* longest MID or RID taken; SDP allows longer ones, nobody uses them */

/* What the header extensions are for. The id on the wire is negotiated (a=extmap). */
typedef enum rt_rtp_extension {
    RT_RTP_MID,                   /* RFC 9143 */
    RT_RTP_RID,                   /* RFC 8852 */
    RT_RTP_REPAIRED_RID,          /* RFC 8852 */
    RT_RTP_AUDIO_LEVEL,           /* RFC 6464 */
    RT_RTP_ABS_SEND_TIME,         /* 24 bits, 6.18 seconds */
    RT_RTP_TRANSPORT_SEQUENCE,    /* draft-holmer-rmcat-transport-wide-cc-extensions-01 */
    RT_RTP_VIDEO_ORIENTATION,     /* 3GPP TS 26.114: camera, flip, rotation */
    RT_RTP_PLAYOUT_DELAY,         /* 12 bits each, 10 ms */
    RT_RTP_ABS_CAPTURE_TIME,      /* 64 bits NTP, optional 64 bits offset */
    RT_RTP_DEPENDENCY_DESCRIPTOR, /* AV1: passed through as bytes */
    RT_RTP_EXTENSIONS,
} rt_rtp_extension;

/* Which id stands for what. A zeroed one knows none. */
typedef struct rt_rtp_extension_map {
    uint8_t id[RT_RTP_EXTENSIONS]; /* 0: not negotiated */
    uint8_t kind[256];             /* rt_rtp_extension + 1; 0: unknown id */
} rt_rtp_extension_map;

/* The extension of that URI (a=extmap), RT_RTP_EXTENSIONS when it is none of these; and back. */
rt_rtp_extension rt_rtp_extension_of(rt_span uri);
const char *rt_rtp_extension_uri(rt_rtp_extension extension);

/* An extension that had another id moves. RT_INVALID: id 0 (padding) or 15 (the end of a one-byte block), or taken
 * by another extension. */
rt_status rt_rtp_extension_map_set(rt_rtp_extension_map *map, rt_rtp_extension extension, uint8_t id);

typedef struct rt_rtp_text {
    uint8_t size; /* 0: none */
    char data[RT_RTP_TEXT_MAX];
} rt_rtp_text;

/* The values of a packet's extensions. Bit `1 << rt_rtp_extension` of `present` says which are there. */
typedef struct rt_rtp_values {
    uint32_t present;
    uint32_t abs_send_time;
    uint16_t transport_sequence;
    uint8_t audio_level; /* -dBov, 0..127 */
    bool voice;
    uint8_t orientation;               /* the byte as it is: 0000CFRR */
    uint16_t playout_min, playout_max; /* 10 ms */
    rt_rtp_text mid, rid, repaired_rid;
    uint64_t capture_time;  /* NTP */
    int64_t capture_offset; /* NTP units; with RT_RTP_CAPTURE_OFFSET in `present` */
    rt_span dependency_descriptor;
} rt_rtp_values;

#define RT_RTP_CAPTURE_OFFSET ((uint32_t)1 << 31)
#define RT_RTP_HAS(values, extension) (((values)->present >> (extension)) & 1)

typedef struct rt_rtp {
    bool marker;
    uint8_t payload_type; /* 7 bits */
    uint8_t csrc_count;
    uint8_t padding; /* bytes at the end, with their count; 0: no padding */
    uint16_t sequence;
    uint16_t profile; /* of the extension block; 0, and `extensions.data` NULL, when there is none */
    uint32_t timestamp;
    uint32_t ssrc;
    rt_span csrcs;      /* 4 bytes each */
    rt_span extensions; /* the elements of the block, without its 4 bytes of header */
    rt_span payload;    /* without padding */
} rt_rtp;

/* RFC 5761 section 4, for a datagram whose first byte is in 128..191: payload types 64..95 are RTCP's. */
static inline bool rt_is_rtcp(rt_span packet)
{
    return packet.size >= 2 && packet.data[1] >= 192 && packet.data[1] <= 223;
}

/* RT_MALFORMED unless all of it fits the packet. Padding of 0 bytes or beyond the payload is malformed. */
rt_status rt_rtp_parse(rt_span packet, rt_rtp *out);

/* The known extensions of a parsed packet, both header forms. Unknown ids are skipped; an element whose length does not
 * fit its kind is left out; of one that comes twice the last counts. One that leaves the block ends the reading:
 * RT_MALFORMED, with what came before it in `out`. */
rt_status rt_rtp_read_values(const rt_rtp *packet, const rt_rtp_extension_map *map, rt_rtp_values *out);

/* The elements of the block as they are, one by one; begin with `*at` = 0. RT_NOT_FOUND at the end, or where the
 * block is of another profile; RT_MALFORMED: the element leaves the block. */
rt_status rt_rtp_next_element(const rt_rtp *packet, size_t *at, uint8_t *id, rt_span *value);

/* How many bytes header, CSRCs and extensions take. Two-byte form only where an id above 14 or a length of 0
 * or above 16 wants it. */
size_t rt_rtp_header_size(const rt_rtp *packet, const rt_rtp_extension_map *map, const rt_rtp_values *values);
/* Writes them; the payload goes behind. `values` NULL: the extension block is written from `packet->profile` and
 * `packet->extensions` as it is. RT_TOO_LARGE if it does not fit, and nothing is written then. `payload` is
 * not looked at, `padding` only sets the padding bit. Extensions without an id in the map are left out. */
rt_status rt_rtp_write_header(rt_writer *out, const rt_rtp *packet, const rt_rtp_extension_map *map,
                              const rt_rtp_values *values);

/* Where the extension's value stands in a written packet, to be filled in at the last moment (transport
 * sequence, abs-send-time); NULL: it has none. */
uint8_t *rt_rtp_find_extension(rt_buffer packet, const rt_rtp_extension_map *map, rt_rtp_extension extension,
                               uint8_t *size);

/* RFC 4588: `packet`, one of the retransmission stream, becomes the original one of `ssrc` and `payload_type`:
 * the original sequence number is taken from the payload's first two bytes. RT_MALFORMED: shorter than that.
 * An RTX packet with an empty payload behind the number is padding for probing: its payload is empty then. */
rt_status rt_rtx_unwrap(rt_rtp *packet, uint32_t ssrc, uint8_t payload_type);

/* Moves clocks: NTP (RFC 3550 section 4) from and to nanoseconds since 1900, and the 24 bits of abs-send-time. */
uint64_t rt_ntp_from_ns(uint64_t nanoseconds);
uint64_t rt_ntp_to_ns(uint64_t ntp);
static inline uint32_t rt_ntp_middle(uint64_t ntp)
{
    return (uint32_t)(ntp >> 16);
}
static inline uint32_t rt_abs_send_time(uint64_t ntp)
{
    return (uint32_t)(ntp >> 14) & 0xFFFFFF;
}

#endif
