/* The media of one peer: all RTP and RTCP of its transport, all m-sections of the bundle. Sans-IO.
 *
 *   RTP in     SRTP -> which section and stream (RFC 9143 section 9.2) -> RTX, RED -> receiver -> frames
 *   RTCP in    SRTP -> reports and feedback to the senders and receivers they speak of
 *   frames     packetizer -> sender's queue -> pacer -> SRTP, in the batch's slot
 *   RTCP out   reports, NACK, PLI, TWCC or REMB, together as one compound (RFC 5506 reduced-size where agreed)
 *
 * A section is what the signaling calls a transceiver: its number is chosen by the caller (0..255). What is negotiated
 * is told with rt_media_set_section(), again after each negotiation.
 *
 * Bounded: streams per section (8 by default) and transport (64): a new SSRC that belongs to a section where the
 * bound is met takes the place of the stream that was silent longest, if that is at least a second, else it is
 * counted and dropped, and so it is where 64 have begun just now (one more may each 50 ms); frames that wait for the
 * application by `max_frames` per section (the oldest are dropped, and an event tells how many).
 */
#ifndef RT_PEER_MEDIA_H
#define RT_PEER_MEDIA_H

#include "base/batch.h"
#include "base/frame.h"
#include "base/random.h"
#include "proto/bandwidth.h"
#include "proto/receiver.h"
#include "proto/sender.h"
#include "proto/srtp.h"

#define RT_MEDIA_SECTIONS 256
#define RT_MEDIA_ENCODINGS 8 /* per section and direction */
#define RT_MEDIA_CNAME_MAX 64
#define RT_MEDIA_MTU_MIN 576
#define RT_MEDIA_NO_FORMAT 255
#define RT_MEDIA_ALL 255 /* encodings */

typedef struct rt_media rt_media;

typedef struct rt_media_config {
    rt_random *random; /* borrowed */
    const rt_srtp_library *srtp;
    char cname[RT_MEDIA_CNAME_MAX];
    uint32_t mtu;                                     /* UDP payload bytes of a packet with everything; default 1200 */
    uint64_t min_bitrate, start_bitrate, max_bitrate; /* of what is sent, bit/s; 0: defaults of rt_bandwidth */
    uint32_t max_frames;                              /* waiting for the application, per section; default 256 */
    rt_time report_interval; /* RTCP, up to an hour; default 1 s video, 5 s audio only; jittered by half */
    uint64_t ntp_offset;     /* add to rt_time in ns to get ns since 1900: the wall clock, read once by io */
} rt_media_config;

void rt_media_config_default(rt_media_config *config);
/* NULL: no memory, no SRTP library, or an MTU below RT_MEDIA_MTU_MIN. */
rt_media *rt_media_new(const rt_media_config *config, rt_time now);
void rt_media_free(rt_media *media);

/* ---- what is negotiated ---- */

typedef struct rt_media_format {
    uint8_t payload_type;
    uint8_t rtx_payload_type;        /* RT_MEDIA_NO_FORMAT: none */
    bool nack, pli, fir, twcc, remb; /* a=rtcp-fb */
    rt_payload_format payload;
} rt_media_format;

typedef struct rt_media_source { /* an SSRC told by the other end (a=ssrc, a=ssrc-group:FID) */
    uint32_t ssrc, rtx_ssrc;     /* rtx_ssrc 0: none */
} rt_media_source;

typedef struct rt_media_encoding { /* one stream that we send */
    uint32_t ssrc, rtx_ssrc;       /* chosen by the caller, unique in the bundle */
    rt_rtp_text rid;               /* empty: none */
    bool active;
    uint64_t max_bitrate; /* bit/s; 0: no limit */
} rt_media_encoding;

typedef struct rt_media_section {
    rt_rtp_text mid;
    bool video;
    bool receive, send; /* the negotiated direction */
    bool reduced_size;  /* a=rtcp-rsize */
    rt_rtp_extension_map extensions;

    const rt_media_format *formats; /* that may be received; copied */
    size_t format_count;
    const rt_media_source *sources; /* copied */
    size_t source_count;
    const rt_rtp_text *rids; /* that the other end sends, in its order; copied */
    size_t rid_count;
    rt_time min_delay, max_delay;
    bool passthrough; /* see rt_receiver_config */

    rt_media_format send_format; /* in use; payload.codec RT_CODEC_NONE: nothing is sent */
    const rt_media_encoding *encodings;
    size_t encoding_count;
} rt_media_section;

/* Sets or changes a section. Streams that go on keep their state. RT_EXISTS: an SSRC or MID that another section
 * has (one that moves is taken from there first); RT_INVALID: a payload type, codec or id out of range. */
rt_status rt_media_set_section(rt_media *media, uint8_t section, const rt_media_section *config, rt_time now);
/* Stopped: its streams are told BYE and forgotten. */
void rt_media_remove_section(rt_media *media, uint8_t section, rt_time now);

/* ---- sending ---- */

/* One frame of an encoding. Packetizes, then as rt_media_send_payloads. RT_NOT_FOUND: no such encoding; RT_CLOSED: not
 * sending now. */
rt_status rt_media_send(rt_media *media, uint8_t section, uint8_t encoding, const rt_frame *frame, rt_span data,
                        rt_time captured, rt_time now);
/* Whether a frame of it would be taken now. */
/* What a frame for the section takes, or what a datagram of feedback does; RT_MEDIA_FETCH steps (base/prefetch.h). */
enum { RT_MEDIA_FETCH = 5, RT_MEDIA_FEEDBACK = -1 };
void rt_media_prefetch(const rt_media *media, int section, int step);
bool rt_media_can_send(const rt_media *media, uint8_t section, uint8_t encoding);
/* Payloads that are shared among peers. */
rt_status rt_media_send_payloads(rt_media *media, uint8_t section, uint8_t encoding, rt_payloads *payloads,
                                 const rt_frame *frame, rt_time captured, rt_time now);
/* Room for a payload in a packet, given the MTU and all that goes around it. */
size_t rt_media_max_payload(const rt_media *media, uint8_t section);
rt_status rt_media_set_encoding(rt_media *media, uint8_t section, uint8_t encoding, bool active, uint64_t max_bitrate,
                                rt_time now);
/* What the encoding should be encoded at now, as the last RT_MEDIA_EVENT_BITRATE of it; 0: nothing, or no such one. */
uint64_t rt_media_bitrate(const rt_media *media, uint8_t section, uint8_t encoding);
void rt_media_set_bitrate(rt_media *media, uint64_t min, uint64_t start, uint64_t max, rt_time now);

/* ---- receiving ---- */

/* Asks the other end for a key frame of one encoding (or RT_MEDIA_ALL). */
rt_status rt_media_request_key_frame(rt_media *media, uint8_t section, uint8_t encoding, rt_time now);
rt_status rt_media_set_delay(rt_media *media, uint8_t section, rt_time min_delay, rt_time max_delay);

/* ---- the machine ---- */

/* DTLS is connected: `material` of rt_srtp_material_size(). */
rt_status rt_media_start(rt_media *media, rt_srtp_profile profile, rt_span material, bool client, rt_time now);
/* Says BYE with the next transmit. */
void rt_media_close(rt_media *media, rt_time now);
/* An SRTP or SRTCP packet, decrypted in place. */
rt_status rt_media_receive(rt_media *media, rt_buffer packet, rt_time now);
size_t rt_media_transmit(rt_media *media, rt_batch *out, rt_time now);
rt_time rt_media_deadline(const rt_media *media);
void rt_media_expire(rt_media *media, rt_time now);

typedef enum rt_media_event_type {
    RT_MEDIA_EVENT_FRAME,     /* `frame`: the taker owns it */
    RT_MEDIA_EVENT_STREAM,    /* a stream began: `ssrc`, `encoding` */
    RT_MEDIA_EVENT_ENDED,     /* BYE, or replaced by another */
    RT_MEDIA_EVENT_KEY_FRAME, /* the other end needs a key frame of `encoding` */
    RT_MEDIA_EVENT_BITRATE,   /* `bitrate`: what `encoding` of `section` should be encoded at now, bit/s */
    RT_MEDIA_EVENT_DROPPED,   /* `count` frames waited too long for the application */
} rt_media_event_type;

typedef struct rt_media_event {
    rt_media_event_type type;
    uint8_t section, encoding;
    uint32_t ssrc;
    uint32_t count;
    uint64_t bitrate;
    rt_frame *frame;
} rt_media_event;

bool rt_media_event_next(rt_media *media, rt_media_event *out, rt_time now);
/* The application has so many frames of a section still to take: no frame events above `max_frames`. */
void rt_media_frames_waiting(rt_media *media, uint8_t section, uint32_t waiting);

/* ---- statistics ---- */

typedef struct rt_media_stats {
    uint64_t packets_received, packets_sent, rtcp_received, rtcp_sent;
    uint64_t unauthenticated, replayed, malformed, rtcp_malformed;
    uint64_t unknown_ssrc, unknown_payload_type, streams_refused, collisions;
    uint64_t unwanted;    /* of a section that does not receive, or after a BYE */
    uint64_t early;       /* before DTLS was done */
    uint64_t unprotected; /* packets that SRTP refused to protect: the key has served for too many */
    rt_bandwidth_stats bandwidth;
    uint64_t remb_sent, twcc_sent, twcc_received;
    uint64_t available_incoming; /* bit/s, own estimate; 0: none */
    rt_srtp_profile profile;     /* 0: none yet */
} rt_media_stats;

void rt_media_get_stats(const rt_media *media, rt_media_stats *out);

typedef struct rt_media_stream { /* one received or sent stream, for statistics */
    uint8_t section, encoding;
    rt_rtp_text rid;
    bool inbound;
    rt_receiver_stats receiver;
    rt_sender_stats sender;
    uint64_t target_bitrate;
} rt_media_stream;

/* Streams one after the other; begin with `*at` = 0, until false. */
bool rt_media_stream_next(rt_media *media, size_t *at, rt_media_stream *out, rt_time now);

#endif
