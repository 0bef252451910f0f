/* What the sender's files share: sender.c (life, queue, reports), sender_write.c (packets as they leave),
 * sender_repeat.c (NACK, retransmission, padding).
 */
#ifndef RT_PROTO_SENDER_INTERNAL_H
#define RT_PROTO_SENDER_INTERNAL_H

#include "base/ring.h"
#include "proto/history.h"
#include "proto/sender.h"

#define RT_SENDER_RESENDS 1024 /* retransmissions that wait */

typedef struct rt_sender_queued_frame { /* not begun yet */
    rt_payloads *payloads;              /* a reference */
    size_t bytes;
    rt_time queued, captured;
    uint64_t captured_ntp; /* 0: to be reckoned from `captured` */
    uint32_t timestamp;    /* as on the wire */
    uint8_t payload_type, rtx_payload_type;
    uint8_t rotation;
    uint8_t audio_level; /* -dBov; with `has_level` */
    bool has_level, voice, key, marker;
} rt_sender_queued_frame;

typedef struct rt_sender_resend {
    uint16_t sequence;
    uint16_t size;
} rt_sender_resend;

struct rt_sender {
    rt_sender_config config;
    bool active;
    bool acknowledged, rtx_acknowledged; /* a report block came: the other end knows the SSRC */
    bool awaits_key;                     /* frames were dropped: nothing else helps */
    bool key_needed;
    rt_time key_asked;
    uint32_t timestamp_offset;
    uint16_t sequence, rtx_sequence; /* next */

    rt_ring queue; /* of rt_sender_queued_frame */
    size_t queued_bytes;
    uint32_t queued_packets;
    size_t payload_max; /* largest payload ever */
    size_t header_max;  /* largest header ever: extensions may be fewer by now, and what was begun has them still */

    struct { /* the frame that is being sent */
        rt_history_frame frame;
        uint32_t next;
        size_t bytes; /* still to come; not in `queued_bytes` */
        rt_time queued;
        bool marker; /* on each packet, whatever the payload says */
        bool kept;   /* by the history */
    } current;       /* frame.payloads NULL: none */

    rt_history history;
    rt_ring resend; /* of rt_sender_resend */
    size_t resend_bytes;
    rt_time round_trip;

    rt_time capture_told;
    /* Where the media's clock stands, for the sender reports. */
    bool sent;
    rt_time mapped;
    uint32_t mapped_timestamp;
    uint32_t packets_on_ssrc, bytes_on_ssrc; /* as an SR counts */

    rt_sender_stats stats;
};

/* Forgets the frame that is being sent. */
void rt_sender_end_frame(rt_sender *sender);
/* Drops whole frames from the front of the queue until it is in its bounds with `coming` bytes more. */
void rt_sender_shorten(rt_sender *sender, size_t coming, rt_time now);
/* Puts the stamps into a written header. */
void rt_sender_stamp(uint8_t *packet, const rt_history_frame *frame, uint16_t transport_sequence,
                     uint32_t abs_send_time);

/* sender_repeat.c */
size_t rt_sender_write_retransmission(rt_sender *sender, rt_buffer room, uint16_t transport_sequence, uint64_t ntp,
                                      rt_time now);

#endif
