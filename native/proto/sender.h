/* One sent RTP stream: an encoding (SSRC, and the SSRC of its retransmissions). Frames go in, packets wait here
 * until the pacer lets them go, sent ones are kept for retransmission (RFC 4585, RFC 4588).
 *
 *   frames ->  queue  -> write(MEDIA) ->  history  -> nack() -> write(RETRANSMISSION)
 *
 * Nothing of a frame is copied until a packet is written into the batch's slot: queue and history refer to the
 * block of payloads. A frame's packets have the same header but for marker, sequence number and stamps (transport
 * sequence, abs-send-time): it is made once per frame, so equal payloads make packets of equal size, and these one
 * UDP GSO run. Sans-IO; one thread at a time.
 *
 * Header extensions, as far as they are negotiated: MID and RID until the first report block; transport sequence and
 * abs-send-time; audio level; video orientation with key frames and rotated ones; absolute capture time with key
 * frames and once per second.
 *
 * Retransmission: by RTX with the original sequence number where there is RTX. Without it "in place": the packet that
 * was sent, bit for bit with its stamps of then, since SRTP would use one nonce for two different packets otherwise.
 *
 * Bounded: the queue by 2 s and `queue_bytes` (what is older is dropped by whole frames; video then up to the next
 * key frame, which is asked for), the history by time and `history_bytes` (the oldest goes), retransmissions by one
 * per round trip and ten in all of each packet, and 1,024 that wait.
 */
#ifndef RT_PROTO_SENDER_H
#define RT_PROTO_SENDER_H

#include "base/frame.h"
#include "base/random.h"
#include "base/span.h"
#include "base/status.h"
#include "base/time.h"
#include "wire/payload.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"

typedef struct rt_sender_config {
    rt_random *random;       /* borrowed; for the first sequence number and timestamp */
    uint32_t ssrc, rtx_ssrc; /* rtx_ssrc 0: retransmissions in place */
    uint8_t payload_type;
    uint8_t rtx_payload_type; /* with rtx_ssrc; above 127: none */
    uint32_t clock_rate;
    bool video;
    const rt_rtp_extension_map *extensions; /* borrowed; kept by the section */
    rt_rtp_text mid, rid;                   /* sent until the first report block comes, then no more */
    rt_time history; /* at least 1 s and 3 round trips; default 1 s; the last 128 packets of video 3 times as long */
    size_t history_bytes, queue_bytes; /* default 2 MiB, 4 MiB */
} rt_sender_config;

void rt_sender_config_default(rt_sender_config *config);

typedef struct rt_sender rt_sender;

rt_sender *rt_sender_new(const rt_sender_config *config);
void rt_sender_free(rt_sender *sender);

/* Another codec from the next frame on. */
void rt_sender_set_format(rt_sender *sender, uint8_t payload_type, uint8_t rtx_payload_type, uint32_t clock_rate);
/* Retransmissions go on this SSRC from now on; 0: in place. */
void rt_sender_set_repair(rt_sender *sender, uint32_t rtx_ssrc);

/* Queues a frame's packets; takes a reference. `frame` gives timestamp (any origin; a random offset is added),
 * audio level, orientation, capture time. `captured`: when, on the core's clock: the sender reports' map from NTP
 * to RTP. RT_CLOSED while inactive. */
rt_status rt_sender_send(rt_sender *sender, rt_payloads *payloads, const rt_frame *frame, rt_time captured,
                         rt_time now);

/* What the next frame of the stream touches; two steps, and `other`: it is for another stream, and this one is only
 * asked whether anything waits (base/prefetch.h). */
void rt_sender_prefetch(const rt_sender *sender, bool other, int step);

/* What waits, for the pacer: class by class. */
typedef enum rt_sender_class { RT_SENDER_MEDIA, RT_SENDER_RETRANSMISSION, RT_SENDER_CLASSES } rt_sender_class;
size_t rt_sender_queued(const rt_sender *sender, rt_sender_class which); /* bytes; 0: none */
rt_time rt_sender_queued_since(const rt_sender *sender);                 /* oldest media; RT_NEVER: none */
/* The largest packet that the next write may make. */
size_t rt_sender_packet_max(const rt_sender *sender);
/* What goes before a payload at the most: header, extensions, original sequence number. */
size_t rt_sender_header_max(const rt_sender *sender);
/* Whether packets of the class carry the transport sequence number that they are given; retransmissions in place do
 * not, nor does any packet without the extension: the number is not used up then. */
bool rt_sender_stamps(const rt_sender *sender, rt_sender_class which);
/* Writes the next packet of a class into `room`, and takes it from the queue; returns its size, 0: none, or `room`
 * is smaller than rt_sender_packet_max() and than the packet. `transport_sequence` goes into the extension if there
 * is one; abs-send-time too. `ntp`: wall clock. */
size_t rt_sender_write(rt_sender *sender, rt_sender_class which, rt_buffer room, uint16_t transport_sequence,
                       uint64_t ntp, rt_time now);
/* One packet for probing of about `size` bytes: RTX of a packet sent before, and padding. 0: it can't, there is no
 * RTX, or nothing was sent yet. */
size_t rt_sender_write_padding(rt_sender *sender, rt_buffer room, size_t size, uint16_t transport_sequence,
                               uint64_t ntp, rt_time now);

/* A NACK for the stream: what the history has is queued for retransmission, each packet at most once per round
 * trip; all others are counted. */
void rt_sender_nack(rt_sender *sender, const uint16_t *sequences, size_t count, rt_time now);
void rt_sender_set_round_trip(rt_sender *sender, rt_time round_trip);
/* A report block about the stream (or its RTX). */
void rt_sender_reported(rt_sender *sender, const rt_rtcp_block *block, rt_time round_trip, rt_time now);

/* Fills an SR (without blocks); false: nothing was sent since ever. */
bool rt_sender_report(const rt_sender *sender, rt_rtcp_report *out, uint64_t ntp, rt_time now);

/* False: queued packets are dropped, frames refused, NACKs not answered; timestamps and sequence numbers go on, and
 * what is active again answers for what it had sent before. */
void rt_sender_set_active(rt_sender *sender, bool active);
/* Frames were dropped, and a key frame is needed to go on. Tells once, and again after a second without one. */
bool rt_sender_key_frame_needed(rt_sender *sender);

typedef struct rt_sender_stats { /* as W3C webrtc-stats counts; times in ns */
    uint32_t ssrc, rtx_ssrc;
    uint8_t payload_type;
    bool active;
    uint64_t packets, bytes, header_bytes; /* with retransmissions; bytes: payload */
    uint64_t retransmitted_packets, retransmitted_bytes;
    uint64_t frames, key_frames, frames_dropped;
    uint64_t nacks, nacked_packets, nacks_unanswered, plis, firs;
    rt_time total_send_delay; /* from queue to wire, sum over packets */
    uint64_t padding_bytes;
    /* remote-inbound-rtp */
    uint64_t reports;
    int64_t remote_lost;
    uint32_t remote_jitter; /* clock units */
    uint8_t remote_fraction_lost;
    rt_time round_trip, total_round_trip;
    uint64_t round_trip_measurements;
    uint32_t clock_rate;
    uint32_t queued_packets;
    size_t queued_bytes, history_bytes;
} rt_sender_stats;

void rt_sender_get_stats(const rt_sender *sender, rt_sender_stats *out);
/* Counted by the one who reads RTCP. */
void rt_sender_count_request(rt_sender *sender, bool fir);

#endif
