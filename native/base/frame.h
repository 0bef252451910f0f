/* An encoded frame: what media carries between the packets of a stream and the codec.
 *
 * A video frame (access unit, temporal unit), or the audio of one packet. Made by a receiver or by the
 * application, then never changed: shared by reference, so that one frame goes to a thousand senders without
 * a copy, and freed with the last reference on any thread.
 */
#ifndef RT_BASE_FRAME_H
#define RT_BASE_FRAME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

typedef enum rt_codec {
    RT_CODEC_NONE,
    RT_CODEC_OPUS,
    RT_CODEC_PCMU,
    RT_CODEC_PCMA,
    RT_CODEC_G722,
    RT_CODEC_L16,
    RT_CODEC_TELEPHONE_EVENT, /* RFC 4733 */
    RT_CODEC_COMFORT_NOISE,   /* RFC 3389 */
    RT_CODEC_RED,             /* RFC 2198; its blocks hold another codec */
    RT_CODEC_VP8,
    RT_CODEC_VP9,
    RT_CODEC_H264,
    RT_CODEC_H265,
    RT_CODEC_AV1,
    RT_CODECS,
} rt_codec;

static inline bool rt_codec_is_video(rt_codec codec)
{
    return codec >= RT_CODEC_VP8;
}

enum {
    RT_FRAME_KEY = 1,           /* decodable by itself */
    RT_FRAME_LOST = 2,          /* no data: the time of an audio frame that did not come, to be concealed */
    RT_FRAME_DISCONTINUITY = 4, /* frames are missing before this one */
    RT_FRAME_RECOVERED = 8,     /* (part of it) came by retransmission or redundancy */
    RT_FRAME_VOICE = 16,        /* the audio level extension's voice flag */
    RT_FRAME_DISCARDABLE = 32,  /* no other frame needs it */
    RT_FRAME_MARKER = 64,       /* the RTP marker: for audio, the start of a talk spurt */
};

#define RT_FRAME_NO_LEVEL 127 /* audio_level when there is none */

typedef struct rt_frame {
    struct rt_frame *next; /* for the one list of its owner */
    atomic_uint references;

    /* What it is. */
    uint8_t codec; /* rt_codec */
    uint8_t flags; /* RT_FRAME_... */
    uint8_t payload_type;
    uint8_t spatial, temporal; /* layer ids; 0 without layers */
    int8_t audio_level;        /* dBov, -127..0, or RT_FRAME_NO_LEVEL (RFC 6464) */
    uint8_t rotation;          /* clockwise quarter turns to be done before showing it */
    uint16_t width, height;    /* 0: not told by the payload */
    int64_t timestamp;         /* RTP timestamp, unwrapped; in units of the codec's RTP clock */
    uint32_t duration;         /* in the same units; audio always, video 0 */

    /* Whence it came (0 for one that the application made). */
    uint32_t ssrc;
    uint16_t section;
    uint8_t encoding;  /* place of its RID in the section's list; 0 without RIDs */
    uint16_t packets;  /* how many carried it */
    int32_t stretch;   /* audio: play it this many clock units longer (or shorter): the buffer's wish */
    uint64_t captured; /* NTP time (RFC 5905 64-bit) at which it was captured, by the sender's clock; 0: unknown */
    rt_time arrived;   /* first packet */
    rt_time completed; /* last packet */
    rt_time released;  /* when the jitter buffer let it go */

    size_t size, capacity;
    uint8_t data[];
} rt_frame;

/* One reference, all fields zero but `capacity` and audio_level; NULL when there is no memory. */
rt_frame *rt_frame_new(size_t capacity);

static inline rt_frame *rt_frame_ref(rt_frame *frame)
{
    atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
    return frame;
}

void rt_frame_unref(rt_frame *frame); /* NULL is fine */

#endif
