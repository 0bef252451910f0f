/* The jitter buffer: packets of one stream in, in whatever order they come; frames out, in decodable order, at the
 * time of their playout.
 *
 *   add          a packet is copied once into memory that is kept, and found again by its number
 *   frames       the packets of one timestamp, from its first to its last (by the marker or the format: nothing
 *                waits for the next frame)
 *   playout      timestamp + the 0.95 quantile of transit times (proto/jitter_delay), within the limits given
 *
 * Video. A frame leaves when it is whole, decodable and due. Decodable: a key frame, or all that it refers to has
 * left: by sequence numbers, or after a loss by picture ids and TL0PICIDX (VP8, VP9), so that lost frames of upper
 * temporal layers, and of discardable ones, hold up nothing. A hole is waited for as long as it pays: `patience`,
 * or until 2 s are behind it; the first decodable frame behind it ends the wait after the patience (60 ms, if it
 * was only layers that were lost). Then key_frame_needed() is true until one comes.
 *
 * Audio. Each packet is a frame, played one after the other without a gap. At the time of one that did not come,
 * while a later one has, leaves a frame with RT_FRAME_LOST, its duration and no data; what follows the last lost one
 * has RT_FRAME_DISCONTINUITY: its packet may hold the lost one once more (the in-band FEC of Opus), for a decoder that
 * waits for it.
 * If nothing later has come either, time stands still: after one frame's duration of lateness, frames leave that
 * are lost, have the duration 0 and a `stretch` of what to conceal, for up to 100 ms; then whatever comes is played
 * late. A gap of the timestamps without one of the sequence numbers (DTX) is silence, not loss. Where actual and
 * target delay differ by more than 10 ms (late) or 20 ms (early), `stretch` of a frame says by how much it should
 * be played longer or shorter, up to a quarter of its duration. telephone-event packets leave at once, in order.
 *
 * `passthrough`: frames leave when whole and in order; nothing is concealed, stretched or delayed.
 *
 * Bounded: `max_packets` and 2 s; when a bound is met the oldest incomplete frame is given up. A timestamp that
 * jumps is on probation for a packet; then it goes on where the old ones ended, plus the time gone by. Sans-IO; one
 * thread at a time. Nothing is allocated per packet in the steady state; a frame is one allocation.
 */
#ifndef RT_PROTO_JITTER_H
#define RT_PROTO_JITTER_H

#include "base/frame.h"
#include "base/status.h"
#include "base/time.h"
#include "wire/payload.h"
#include "wire/rtp.h"

typedef struct rt_jitter_config {
    bool video;
    bool passthrough;
    rt_time min_delay, max_delay; /* default 0 and 2 s */
    uint32_t max_packets;         /* default 2048; rounded up to a power of two */
} rt_jitter_config;

void rt_jitter_config_default(rt_jitter_config *config);

typedef struct rt_jitter rt_jitter;

rt_jitter *rt_jitter_new(const rt_jitter_config *config);
void rt_jitter_free(rt_jitter *jitter);

typedef struct rt_jitter_packet {
    uint64_t sequence; /* extended, at least 1 (proto/reception) */
    uint32_t timestamp;
    uint8_t payload_type;
    bool marker, recovered;
    const rt_payload_format *format;
    const rt_payload_info *info; /* NULL: padding, only its number counts */
    const rt_rtp_values *values; /* may be NULL */
    rt_span payload;
} rt_jitter_packet;

/* RT_REPLAYED: had it; RT_UNEXPECTED: too late, or a timestamp on probation; RT_NO_MEMORY. */
rt_status rt_jitter_add(rt_jitter *jitter, const rt_jitter_packet *packet, rt_time now);
/* Audio: a redundant copy (RED) of an earlier packet, for `packet->sequence` if nothing else came. False: not
 * needed. */
bool rt_jitter_add_redundant(rt_jitter *jitter, const rt_jitter_packet *packet, rt_time now);
/* The numbers go on at `sequence` (a sender that started anew): frames that are whole leave at once, the rest is
 * dropped. */
void rt_jitter_restart(rt_jitter *jitter, uint64_t sequence, rt_time now);

/* The next frame that is due, or NULL; the caller owns it. Drain after add(), and at the deadline. */
rt_frame *rt_jitter_pop(rt_jitter *jitter, rt_time now);
rt_time rt_jitter_deadline(const rt_jitter *jitter);

/* Everything before this number is played or given up. */
uint64_t rt_jitter_head(const rt_jitter *jitter);
/* Nothing decodable can come any more without a key frame. */
bool rt_jitter_key_frame_needed(const rt_jitter *jitter);

void rt_jitter_set_delay(rt_jitter *jitter, rt_time min_delay, rt_time max_delay);
/* How long a hole is waited for before a key frame is asked for: as long as a retransmission may take. Default
 * 100 ms. */
void rt_jitter_set_patience(rt_jitter *jitter, rt_time patience);

typedef struct rt_jitter_stats { /* as W3C webrtc-stats counts; times in ns */
    uint64_t discarded, duplicates, timestamp_jumps;
    uint64_t frames, key_frames, frames_dropped, frames_assembled_multiple, malformed_frames;
    rt_time total_assembly_time;
    uint64_t freezes;
    rt_time total_freezes_duration;
    rt_time delay, target_delay_sum, minimum_delay; /* sums over what was emitted */
    uint64_t emitted;                               /* frames, or audio samples */
    uint64_t samples, concealed_samples, silent_concealed_samples, concealment_events;
    uint64_t inserted_samples, removed_samples;
    uint64_t redundant, redundant_discarded;
    rt_time target_delay;   /* now */
    uint32_t packets;       /* waiting */
    uint32_t queued_frames; /* waiting, as far as their first packets are here */
    uint16_t width, height;
} rt_jitter_stats;

void rt_jitter_get_stats(const rt_jitter *jitter, rt_jitter_stats *out);

#endif
