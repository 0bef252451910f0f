/* What the worker knows of fan-outs, and what their files share: fanout.c (life, who gives and who gets),
 * fanout_frames.c (what flows).
 */
#ifndef RT_IO_FANOUT_INTERNAL_H
#define RT_IO_FANOUT_INTERNAL_H

#include "base/ring.h"
#include "io/fanout.h"

typedef struct rt_fanout_consumer rt_fanout_consumer;

/* Of a worker. */
typedef struct rt_fanouts {
    rt_fanout *all;
    rt_fanout *pending, **pending_end; /* that have something to do */
} rt_fanouts;

/* Of a peer. */
typedef struct rt_fanout_ties {
    rt_fanout_consumer *consumers; /* sections that get frames */
    rt_fanout *sourced;            /* fan-outs that take frames from it */
} rt_fanout_ties;

void rt_fanouts_init(rt_fanouts *fanouts);
void rt_fanouts_free(rt_fanouts *fanouts);
/* The peer goes. */
void rt_fanouts_forget(rt_worker_peer *peer);
/* Gives out the frames that were taken, passes requests on. Peers become active. Returns whether there was
 * anything to do. */
bool rt_fanouts_run(rt_worker *worker, rt_time now);

/* ---- among the fan-out's files ---- */

#define RT_FANOUT_REQUEST_EVERY RT_MS(200) /* key frames */

struct rt_fanout_consumer {
    rt_fanout *fanout;
    rt_worker_peer *peer;
    rt_fanout_consumer *next, **link; /* of the fan-out */
    rt_fanout_consumer *next_of_peer, **peer_link;
    uint64_t bitrate; /* 0: unknown, or paused */
    uint8_t section, encoding;
    bool awaits_key;
};

struct rt_fanout {
    rt_worker *worker;
    rt_fanout *next, **link; /* all of the worker */
    rt_payload_format format;
    uint64_t tag;
    rt_packetizer *packetizer;
    rt_fanout_consumer *consumers;
    uint32_t consumer_count;
    size_t payload_max;
    bool resized; /* `payload_max` is to be reckoned anew */

    struct {
        rt_worker_peer *peer; /* NULL: the application */
        rt_fanout *next, **link;
        uint8_t section, encoding;
        int chosen; /* the encoding that is followed; -1: none as yet */
        bool also_events;
    } source;
    rt_ring frames; /* of rt_frame *, taken from the source */

    /* Timestamps go on where one stream follows another. */
    bool began, replaced; /* a first frame was given; another source since the last one */
    uint32_t ssrc;
    int64_t offset, last_timestamp;
    rt_time last_captured, last_frame;

    bool pending;
    rt_fanout *next_pending;
    bool key_wanted;  /* since the last turn */
    bool key_needed;  /* for the application */
    bool announced;   /* it was told by an event, and has not asked since */
    bool rates_moved; /* since the last turn */
    rt_time requested;
    uint64_t told_bitrate;
    rt_fanout_stats stats;
};

/* To get its turn at the end of this iteration, or of the next one. */
void rt_fanout_pend(rt_fanout *fanout);
void rt_fanout_unpend(rt_fanout *fanout);
/* Sees the events of a peer's media before their taker (io/mailbox.h). */
bool rt_fanout_tap(void *peer, const rt_media_event *event);
rt_fanout_consumer *rt_fanout_find_consumer(const rt_worker_peer *peer, uint8_t section, uint8_t encoding);
uint64_t rt_fanout_lowest_bitrate(const rt_fanout *fanout);

#endif
