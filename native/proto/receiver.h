/* One received RTP stream (SSRC): from packets, in whatever order they come, to frames at the time of their
 * playout. It holds together
 *
 *   reception   RFC 3550 statistics: sequence validity, loss, jitter; report blocks
 *   nack        which packets to ask for again, and when to give up
 *   jitter      the jitter buffer: target delay from the distribution of relative arrival, frames put together,
 *               let go in order
 *
 * (proto/reception, proto/nack, proto/jitter: each a machine of its own.) Sans-IO; one thread at a time.
 *
 * Bounded: packets waiting by `max_packets` and 2 s of media, the list of missing ones by 1,000; when a bound is
 * met, the oldest incomplete frame is given up. What comes from the network is counted, never fatal.
 */
#ifndef RT_PROTO_RECEIVER_H
#define RT_PROTO_RECEIVER_H

#include "base/frame.h"
#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "wire/payload.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"

/* One payload type that the stream may carry. RTX is unwrapped before (rt_rtx_unwrap). */
typedef struct rt_receiver_format {
    uint8_t payload_type;
    bool nack, pli, fir; /* a=rtcp-fb */
    rt_payload_format payload;
} rt_receiver_format;

typedef struct rt_receiver_config {
    uint32_t ssrc;
    const rt_receiver_format *formats; /* copied, those of the other kind left out; RED is unwrapped inside */
    size_t format_count;
    bool video;
    rt_time min_delay, max_delay; /* of the jitter buffer; default 0 and 2 s; both 0: frames leave once decodable */
    uint32_t max_packets;         /* default 2048 */
    bool passthrough; /* frames leave as soon as they are whole, without playout delay (relays, recording) */
} rt_receiver_config;

void rt_receiver_config_default(rt_receiver_config *config);

typedef struct rt_receiver rt_receiver;

rt_receiver *rt_receiver_new(const rt_receiver_config *config);
void rt_receiver_free(rt_receiver *receiver);

/* One packet; `recovered`: by RTX. RT_NOT_FOUND: unknown payload type; RT_REPLAYED: had it already; RT_UNEXPECTED:
 * too late, or a jump that is on probation (RFC 3550 appendix A.1). All are counted. `values` may be NULL. */
rt_status rt_receiver_receive(rt_receiver *receiver, const rt_rtp *packet, const rt_rtp_values *values, bool recovered,
                              rt_time now);

/* The next frame whose time has come, or NULL; the caller owns it. Drain after receive() and expire(). For audio
 * also the times of frames that did not come (RT_FRAME_LOST; proto/jitter.h has the rules). Video: never one that cannot be decoded: after a loss
 * that was not repaired in time, frames are dropped up to the next that can be. */
rt_frame *rt_receiver_frame(rt_receiver *receiver, rt_time now);

/* Of playout, NACKs and key frame requests. */
rt_time rt_receiver_deadline(const rt_receiver *receiver);
void rt_receiver_expire(rt_receiver *receiver, rt_time now);

/* Sequence numbers to ask for now, ascending; drain until 0. */
size_t rt_receiver_nack(rt_receiver *receiver, uint16_t *out, size_t max, rt_time now);
/* Whether a PLI (or FIR) is to be sent now: once per need, again with back-off (at most one per round trip, and
 * 300 ms) until a key frame comes. */
bool rt_receiver_key_frame_needed(rt_receiver *receiver, rt_time now);
/* The application wants one (a recorder, a new consumer). */
void rt_receiver_request_key_frame(rt_receiver *receiver);

void rt_receiver_set_round_trip(rt_receiver *receiver, rt_time round_trip);
/* Renegotiated: `formats` (copied) take the place of those before. Packets that wait keep their meaning. */
void rt_receiver_set_formats(rt_receiver *receiver, const rt_receiver_format *formats, size_t format_count);
void rt_receiver_set_delay(rt_receiver *receiver, rt_time min_delay, rt_time max_delay);
/* A sender report of the stream: for report blocks, and the map from RTP to the sender's clock. */
void rt_receiver_sender_report(rt_receiver *receiver, const rt_rtcp_report *report, rt_time now);
/* The report block for the next SR or RR; false: nothing was ever received. Resets the interval's fraction. */
bool rt_receiver_report(rt_receiver *receiver, rt_rtcp_block *out, rt_time now);
/* BYE: what is in the buffer still plays out. */
void rt_receiver_bye(rt_receiver *receiver);

typedef struct rt_receiver_stats { /* as W3C webrtc-stats counts; times in ns */
    uint32_t ssrc;
    uint8_t payload_type;                  /* of the last packet */
    uint64_t packets, bytes, header_bytes; /* bytes: payload */
    int64_t packets_lost;
    uint64_t packets_discarded; /* too late or too early to be played (RFC 7002) */
    uint64_t packets_duplicate, packets_malformed, packets_recovered, bytes_recovered;
    uint64_t unknown_payload_types, jumps;
    uint32_t jitter; /* clock units */
    uint32_t clock_rate;
    uint64_t nacks, nack_packets, plis, firs; /* nack_packets: sequence numbers asked for */
    uint64_t frames, key_frames, frames_dropped, frames_assembled_multiple;
    rt_time total_assembly_time;
    uint64_t freezes;
    rt_time total_freezes_duration;
    rt_time jitter_buffer_delay, jitter_buffer_target_delay, jitter_buffer_minimum_delay; /* sums over emitted */
    uint64_t jitter_buffer_emitted;                                                       /* frames, or audio samples */
    rt_time target_delay;                                                                 /* now */
    uint64_t samples, concealed_samples, silent_concealed_samples, concealment_events;
    uint64_t inserted_samples, removed_samples;  /* for deceleration, acceleration: asked for by `stretch` */
    uint64_t fec_packets, fec_packets_discarded; /* RED */
    double total_audio_energy;                   /* from the audio level extension */
    rt_time last_packet;
    uint16_t width, height;
    uint8_t audio_level; /* -dBov of the last packet; 127 none */
    /* from sender reports */
    uint64_t reports, remote_packets, remote_bytes, remote_ntp;
    uint32_t queued_packets, queued_frames;
} rt_receiver_stats;

void rt_receiver_get_stats(const rt_receiver *receiver, rt_receiver_stats *out, rt_time now);

#endif
