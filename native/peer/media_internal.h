/* What the files of the media share.
 *
 *   media.c             life, events, the machine's clock
 *   media_section.c     what is negotiated becomes lines, streams and tables
 *   media_route.c       which stream a packet belongs to
 *   media_receive.c     SRTP, RTP and frames in
 *   media_send.c        frames in, paced packets out, SRTP
 *   media_bitrate.c     who may send how much
 *   media_report.c      RTCP out: reports, feedback, good-byes
 *   media_feedback.c    RTCP in
 *   media_stats.c       counters for the outside
 *
 * A line is the state of one section. Lines hold the outbound streams, one per encoding; inbound streams are found
 * by their SSRC. Everything that can grow by what the network says has its bound here.
 */
#ifndef RT_PEER_MEDIA_INTERNAL_H
#define RT_PEER_MEDIA_INTERNAL_H

#include "base/map.h"
#include "base/ring.h"
#include "peer/media.h"
#include "proto/estimate.h"
#include "proto/pacer.h"
#include "proto/twcc.h"

enum {
    RT_MEDIA_LINE_STREAMS = 8, /* inbound, per section */
    RT_MEDIA_STREAMS = 64,     /* inbound, per transport */
    RT_MEDIA_LEARNED = 16,     /* SSRCs that RTCP told the section of, before their first packet */
    RT_MEDIA_REFERENCES = 8,   /* receivers that asked for their round trip (XR RRTR) */
    RT_MEDIA_BYES = 64,        /* our SSRCs that end with the next RTCP packet */
    RT_MEDIA_FORMATS = 128,
    RT_MEDIA_SOURCES = 64,
    RT_MEDIA_TAG = 16, /* SRTP's authentication tag, the longest of all profiles: peers share payloads */
};

#define RT_MEDIA_SILENCE RT_SECONDS(1) /* a stream silent for so long may be replaced */
#define RT_MEDIA_STRAGGLERS RT_MS(200) /* after a BYE, packets that it overtook are not a new stream */
#define RT_MEDIA_LEAVE RT_MS(2500)     /* after a BYE, at the latest, the stream ends whatever waits */
#define RT_MEDIA_BEGIN_EVERY RT_MS(50) /* a stream may begin so often; RT_MEDIA_STREAMS at once after a pause */
/* Between two events that ask for a key frame; twice as long each time where they go on, for who asks all the time
 * costs the encoder's quality, and with a fan-out everybody's. No longer than a second: who loses much stands still
 * until then, and again if that one is lost. */
#define RT_MEDIA_KEY_INTERVAL RT_MS(250)
#define RT_MEDIA_KEY_MOST RT_SECONDS(1)
#define RT_MEDIA_KEY_CALM RT_SECONDS(4) /* without an event, and the interval is as at first */

typedef struct rt_media_line rt_media_line;

/* What an SSRC stands for. Lies inside its stream; the map of SSRCs points to it. */
typedef enum rt_media_role {
    RT_MEDIA_IN,
    RT_MEDIA_IN_REPAIR, /* RTX of an inbound stream */
    RT_MEDIA_OUT,
    RT_MEDIA_OUT_REPAIR,
} rt_media_role;

typedef struct rt_media_route {
    uint32_t ssrc; /* 0: none */
    rt_media_role role;
} rt_media_route;

typedef struct rt_media_inbound {
    rt_media_route media, repair;
    rt_media_line *line;
    rt_receiver *receiver; /* NULL: ended */
    rt_rtp_text rid;
    uint8_t encoding;
    uint8_t payload_type; /* of the last packet */
    uint8_t fir_sequence;
    bool signalled; /* its SSRC is one of the line's sources */
    bool announced; /* the application was told */
    bool ready;     /* in the list of those that may have frames */
    rt_time last;   /* packet */
    rt_time left;   /* BYE; RT_NEVER: not yet */
    struct rt_media_inbound *next_ready;
} rt_media_inbound;

typedef struct rt_media_outbound {
    rt_media_route media, repair;
    rt_media_line *line;
    rt_sender *sender;
    rt_packetizer *packetizer;
    rt_rtp_text rid;
    uint8_t encoding;
    bool active; /* as the application wants; the line's direction decides, too */
    uint64_t max_bitrate;
    uint64_t target; /* bit/s */
    uint64_t told;   /* as the application knows it; RT_MEDIA_UNTOLD */
    uint64_t given;  /* while the target is shared out */
    uint8_t rank;
    bool bitrate_changed;
    bool key_wanted;
    rt_time key_told;     /* last event */
    rt_time key_pause;    /* until the next one */
    rt_time last_sent;    /* RT_NEVER: nothing yet */
    uint32_t reported;    /* extended highest sequence number of the last report block */
    uint32_t fir_from;    /* who asked last by FIR, and its number */
    int16_t fir_sequence; /* -1: nobody */
} rt_media_outbound;

typedef struct rt_media_told { /* a source of the signaling */
    rt_media_line *line;
    rt_media_source source;
    uint8_t place;
} rt_media_told;

struct rt_media_line {
    uint8_t number;
    rt_rtp_text mid;
    bool video, receive, send, reduced_size, passthrough;
    rt_time min_delay, max_delay;
    rt_rtp_extension_map extensions;

    rt_media_format *formats;
    rt_receiver_format *receiver_formats; /* the same, as receivers want them */
    size_t format_count;
    uint8_t by_type[128]; /* place in `formats` + 1, with RT_MEDIA_REPAIRS for the RTX of it; 0: unknown */
    rt_media_told *sources;
    size_t source_count;
    rt_rtp_text rids[RT_MEDIA_ENCODINGS];
    uint8_t rid_count;
    uint8_t stream_count; /* inbound */

    rt_media_format send_format;
    rt_media_outbound *outbound[RT_MEDIA_ENCODINGS];
    uint8_t outbound_count;

    /* Frames for which the application has no room as yet: the oldest go. */
    rt_frame *held, **held_end;
    uint32_t held_count, waiting, dropped;
};

#define RT_MEDIA_REPAIRS 0x80
#define RT_MEDIA_UNTOLD UINT64_MAX

typedef struct rt_media_reference { /* XR RRTR of somebody, to be answered by DLRR */
    uint32_t ssrc;
    uint32_t ntp_middle;
    rt_time arrived;
} rt_media_reference;

struct rt_media {
    rt_media_config config;
    uint32_t ssrc; /* ours where no encoding speaks: of receiver reports and feedback */
    rt_srtp *protect, *unprotect;
    rt_srtp_profile profile;
    bool started, closed;
    rt_media_stats stats;

    rt_media_line *lines[RT_MEDIA_SECTIONS];
    uint8_t order[RT_MEDIA_SECTIONS]; /* numbers of the lines there are */
    uint16_t line_count;
    bool video;                      /* some line is */
    bool reduced_size;               /* all lines agree */
    bool wants_twcc, wants_remb;     /* some line receives with it */
    rt_rtp_extension_map extensions; /* of all lines: for packets that belong to none as yet */
    int16_t by_type[128];            /* the only line with this payload type; else one of the two below */

    rt_map routes;  /* SSRC -> rt_media_route */
    rt_map sources; /* SSRC -> rt_media_told */
    struct {
        uint32_t ssrc;
        uint8_t line;
    } learned[RT_MEDIA_LEARNED];
    uint8_t learned_count, learned_next;

    rt_media_inbound *inbound[RT_MEDIA_STREAMS];
    uint32_t inbound_count;
    rt_media_inbound *ready, **ready_end;
    uint32_t unannounced;
    rt_time began; /* as if streams had begun evenly, the last of them then: so many more may begin until now */
    bool holding;  /* some line may hold frames */
    rt_ring ended; /* of rt_media_event; no stream is announced while there are any, so they cannot pile up */

    rt_media_outbound **outbound; /* of all lines, audio first */
    uint32_t outbound_count, outbound_capacity;
    bool queued; /* some may have packets waiting */
    bool tell;   /* some may have an event for the application, or a line has */
    uint16_t transport_sequence;
    rt_time transmitted; /* when, last */
    rt_pacer pacer;
    rt_bandwidth *bandwidth;
    size_t probe_left;  /* bytes that must still leave at the probe's rate: padding where media does not do */
    rt_time round_trip; /* smoothed; 0: unknown */

    rt_twcc *twcc;
    bool twcc_seen;
    rt_estimate *estimate; /* made when REMB is to be sent */
    uint64_t remb_sent;
    rt_time remb_at;
    bool feedback; /* receivers may have NACKs or requests to send */

    rt_time report_at; /* RT_NEVER: nothing to report */
    rt_time report_interval;
    bool reporting; /* in the midst of it: the batch was full */
    bool reported_sending;
    uint32_t report_in, report_out;
    rt_media_reference references[RT_MEDIA_REFERENCES];
    uint8_t reference_count;
    uint32_t byes[RT_MEDIA_BYES];
    uint8_t bye_count;
};

enum { RT_MEDIA_TYPE_UNKNOWN = -1, RT_MEDIA_TYPE_SHARED = -2 };

static inline bool rt_media_text_equal(const rt_rtp_text *a, const rt_rtp_text *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static inline rt_media_inbound *rt_media_inbound_of(rt_media_route *route)
{
    size_t offset = route->role == RT_MEDIA_IN ? offsetof(rt_media_inbound, media) : offsetof(rt_media_inbound, repair);
    return (rt_media_inbound *)(void *)((char *)route - offset);
}

static inline rt_media_outbound *rt_media_outbound_of(rt_media_route *route)
{
    size_t offset =
        route->role == RT_MEDIA_OUT ? offsetof(rt_media_outbound, media) : offsetof(rt_media_outbound, repair);
    return (rt_media_outbound *)(void *)((char *)route - offset);
}

static inline bool rt_media_sends(const rt_media_outbound *stream)
{
    return stream->line->send && stream->active && stream->line->send_format.payload.codec != RT_CODEC_NONE;
}

static inline uint64_t rt_media_ntp(const rt_media *media, rt_time now)
{
    return rt_ntp_from_ns((uint64_t)now + media->config.ntp_offset);
}

/* media_section.c */
void rt_media_free_lines(rt_media *media);
rt_status rt_media_put_route(rt_media *media, rt_media_route *route, uint32_t ssrc, rt_media_role role);
void rt_media_drop_route(rt_media *media, rt_media_route *route);

/* media_route.c: the stream of a packet, made if it is new; NULL: dropped and counted. With `*repair` the packet has
 * become the original one. */
rt_media_inbound *rt_media_route_packet(rt_media *media, rt_rtp *packet, const rt_rtp_values *values, bool *repair,
                                        rt_time now);
rt_media_inbound *rt_media_find_inbound(rt_media *media, uint32_t ssrc);   /* by its own SSRC */
rt_media_outbound *rt_media_find_outbound(rt_media *media, uint32_t ssrc); /* by its own, or that of its RTX */
/* RTCP's SDES tells that an SSRC belongs to a section. */
void rt_media_learn(rt_media *media, uint32_t ssrc, rt_span mid);
void rt_media_end_inbound(rt_media *media, rt_media_inbound *stream);
void rt_media_end_inbounds(rt_media *media, const rt_media_line *line);

/* media_receive.c */
void rt_media_mark_ready(rt_media *media, rt_media_inbound *stream);
bool rt_media_frame_next(rt_media *media, rt_media_event *out, rt_time now);
void rt_media_drop_frames(rt_media_line *line);
void rt_media_expire_inbound(rt_media *media, rt_time now);
rt_time rt_media_inbound_deadline(const rt_media *media);

/* media_send.c */
void rt_media_transmit_rtp(rt_media *media, rt_batch *out, rt_time now);
rt_time rt_media_pacer_deadline(const rt_media *media);
void rt_media_begin_probe(rt_media *media, rt_time now); /* if there is something to find out */
void rt_media_want_key_frame(rt_media *media, rt_media_outbound *stream);

/* media_bitrate.c: shares the target out, and tells the pacer. */
void rt_media_distribute(rt_media *media, rt_time now);

/* media_report.c */
void rt_media_transmit_rtcp(rt_media *media, rt_batch *out, rt_time now);
rt_time rt_media_report_deadline(const rt_media *media);
void rt_media_schedule_report(rt_media *media, bool first, rt_time now);
void rt_media_say_bye(rt_media *media, uint32_t ssrc);

/* media_feedback.c */
rt_status rt_media_receive_rtcp(rt_media *media, rt_span packet, rt_time now);

#endif
