/* What the files of the jitter buffer share: jitter.c (slots, packets, timestamps), jitter_video.c (which frame may
 * leave), jitter_audio.c (the time line).
 */
#ifndef RT_PROTO_JITTER_INTERNAL_H
#define RT_PROTO_JITTER_INTERNAL_H

#include "proto/jitter.h"
#include "proto/jitter_delay.h"
#include "proto/jitter_pool.h"

#define RT_JITTER_SPAN RT_SECONDS(2) /* of media that may wait behind a hole */

typedef enum rt_jitter_kind {
    RT_JITTER_EMPTY, /* did not come yet */
    RT_JITTER_PADDING,
    RT_JITTER_PAYLOAD, /* video: `data` */
    RT_JITTER_FRAME,   /* audio: `frame` */
} rt_jitter_kind;

typedef struct rt_jitter_slot {
    uint8_t kind; /* rt_jitter_kind */
    uint8_t payload_type;
    bool marker, recovered;
    bool redundant; /* from RED: makes way for the packet itself */
    uint8_t rotation;
    int8_t audio_level;
    bool voice;
    uint32_t size;
    int64_t timestamp; /* unwrapped */
    rt_time arrived;
    uint64_t captured; /* NTP, from the header extension */
    union {
        uint8_t *data;
        rt_frame *frame;
    };
    rt_payload_format format;
    rt_payload_info info;
} rt_jitter_slot;

typedef struct rt_jitter_timeline { /* unwraps timestamps, contains their jumps */
    bool started;
    uint32_t clock_rate;
    double ns_per_unit;
    uint32_t wire; /* the last in order, as it came */
    int64_t last;  /* and as it was taken */
    rt_time arrived;
    bool suspicious;
    bool anew;        /* the sender started anew: any timestamp is as good */
    uint32_t suspect; /* timestamp on probation */
} rt_jitter_timeline;

typedef struct rt_jitter_video {
    bool chain; /* what the next frame refers to has left */
    bool key_needed;
    bool aligned;        /* the head follows the end of a frame */
    bool whole;          /* the frame at the head is: up to before `scan` */
    bool discontinuity;  /* frames are missing before the next one */
    bool searched;       /* nothing decodable is behind the hole, until another packet comes */
    uint64_t scan;       /* the packets in [head, scan) have been looked at: one frame, nothing missing */
    rt_time assembled;   /* arrival of the frame's last packet */
    rt_time stuck_since; /* 0: nothing is missing, as far as is known */
    bool dropped_any;    /* `dropped`: timestamp of the last frame that was */
    int64_t dropped;
    uint8_t broken; /* bit t: temporal layer t misses something it refers to */
    bool has_picture_id, has_tl0;
    uint16_t picture_id;   /* of the frame that left last */
    uint8_t tl0;           /* of the lowest layer's frame that left last */
    rt_time last_released; /* for freezes */
    rt_time mean_interval;
} rt_jitter_video;

typedef struct rt_jitter_audio {
    bool playing;                /* next and offset are known */
    bool silent;                 /* the last frame said that silence begins (DTX) */
    bool discontinuity;          /* something was lost before the next frame */
    bool stretching;             /* until the target is met */
    int64_t next;                /* timestamp to play next */
    rt_time offset;              /* it is due at its time + offset */
    uint32_t duration;           /* of the last frame */
    int64_t concealed;           /* clock units since the last frame that was there */
    uint32_t inserted;           /* clock units concealed since, while nothing came */
    uint8_t codec, payload_type; /* of the last frame */
} rt_jitter_audio;

struct rt_jitter {
    rt_jitter_config config;
    rt_time patience;
    rt_jitter_slot *slots;        /* by number modulo capacity */
    uint64_t capacity, limit;     /* powers of two */
    uint64_t head, end;           /* what is here lies in [head, end); both 0 before the first packet */
    uint32_t count;               /* slots that are not empty */
    bool popped;                  /* a frame has left, or head moved: earlier packets are late */
    rt_time deadline;             /* of the next pop; at most `now` when something has come */
    rt_time minimum;              /* target delay before min_delay, for the statistics */
    rt_time target;               /* due at timestamp + target */
    rt_frame *ready, **ready_end; /* of before a restart */
    rt_jitter_timeline timeline;
    rt_jitter_delay delay;
    rt_jitter_pool pool;
    rt_span *spans; /* as many as slots */
    rt_jitter_video video;
    rt_jitter_audio audio;
    uint8_t rotation; /* as last told */
    rt_jitter_stats stats;
};

static inline rt_jitter_slot *rt_jitter_at(const rt_jitter *jitter, uint64_t sequence)
{
    return &jitter->slots[sequence & (jitter->capacity - 1)];
}

/* The slot of a number in [head, end); NULL outside, and if nothing is in it. */
static inline rt_jitter_slot *rt_jitter_find(const rt_jitter *jitter, uint64_t sequence)
{
    if (sequence < jitter->head || sequence >= jitter->end)
        return NULL;
    rt_jitter_slot *slot = rt_jitter_at(jitter, sequence);
    return slot->kind == RT_JITTER_EMPTY ? NULL : slot;
}

static inline rt_time rt_jitter_ns(const rt_jitter *jitter, int64_t units)
{
    return (rt_time)((double)units * jitter->timeline.ns_per_unit);
}

/* Frees the slots before `head` and begins there. */
void rt_jitter_advance(rt_jitter *jitter, uint64_t head);
/* A transit time was seen: sets target and minimum. */
void rt_jitter_measure(rt_jitter *jitter, rt_time transit, rt_time now);
/* What every frame has of its packets: from the last one, by and large. */
void rt_jitter_describe(rt_frame *frame, const rt_jitter_slot *slot, bool recovered);

void rt_jitter_video_reset(rt_jitter *jitter);
rt_frame *rt_jitter_video_pop(rt_jitter *jitter, rt_time now);
/* The oldest frame makes room. */
void rt_jitter_video_give_up(rt_jitter *jitter);
rt_frame *rt_jitter_audio_pop(rt_jitter *jitter, rt_time now);

#endif
