/* One sequence of frames to any number of peers of one worker, without Python in between.
 *
 *   application, or a received stream  ->  packetized once  ->  per peer: header, SRTP  ->  one send batch
 *
 * A frame is cut into payloads once, in the size that suits all; each peer's sender then shares them. After the frame
 * all peers are drained together, so that the system calls are shared, too. All with the worker's lock held.
 *
 * Forwarding happens inside the worker's iteration: frames that came with one burst of datagrams leave when the burst
 * is read, in common batches. For that the source's section should be `passthrough` (peer/media.h), without a jitter
 * buffer's delay. A source's timestamps go on without a jump where it is replaced by another.
 *
 * Key frames: a consumer gets frames from its first key frame on. One that waits for it, asks for it (PLI, FIR), or has
 * dropped frames makes a request, upstream or to the application, at most every 200 ms. The consumers' KEY_FRAME and
 * BITRATE events go to the fan-out instead of the taker of events.
 */
#ifndef RT_IO_FANOUT_H
#define RT_IO_FANOUT_H

#include "io/worker.h"

typedef struct rt_fanout rt_fanout;

/* `tag` comes back with its events. RT_UNSUPPORTED: a format that cannot be sent. */
rt_status rt_fanout_new(rt_worker *worker, const rt_payload_format *format, uint64_t tag, rt_fanout **out);
/* Ends what it gives and what is given to it. What is left when the worker is freed goes with it. */
void rt_fanout_free(rt_fanout *fanout);

/* A peer's section and encoding gets all frames from the next key frame on (audio: the next frame), as soon and as long
 * as it sends. RT_EXISTS: it has a source already; RT_INVALID: a peer of another worker; RT_UNEXPECTED: it has no media.
 * Removed by itself with the peer. */
rt_status rt_fanout_add(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding);
/* RT_NOT_FOUND: it is none of its consumers. */
rt_status rt_fanout_remove(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding);
uint32_t rt_fanout_count(const rt_fanout *fanout);

/* Takes its frames from a section (and encoding) that a peer receives; key frame requests go there. The frames
 * come as events, too, if `also_events`. RT_MEDIA_ALL: the encoding that comes first, and another one once that has
 * been silent for a second. A NULL peer: from the application again. Ends by itself with the peer. */
rt_status rt_fanout_from(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding, bool also_events);

/* One frame of the application. What a single peer refuses is counted there. RT_INVALID, RT_TOO_LARGE: as
 * rt_packetizer_frame. Sends what may leave at once in this thread. */
rt_status rt_fanout_send(rt_fanout *fanout, const rt_frame *frame, rt_span data, rt_time captured);

/* Whether a consumer wants a key frame since asked last; an application's source asks after each frame or on the
 * worker event RT_WORKER_EVENT_FANOUT. */
bool rt_fanout_key_frame_needed(rt_fanout *fanout);
/* The lowest target bitrate among the consumers, bit/s; 0: unknown. RT_WORKER_EVENT_FANOUT tells of changes. */
uint64_t rt_fanout_bitrate(rt_fanout *fanout);

typedef struct rt_fanout_stats {
    uint64_t frames;  /* given out */
    uint64_t refused; /* another codec, not a frame of this one, or too many at once from the source */
    uint64_t key_frame_requests;
} rt_fanout_stats;

void rt_fanout_get_stats(const rt_fanout *fanout, rt_fanout_stats *out);

#endif
