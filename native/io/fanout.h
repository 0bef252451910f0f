/* One sequence of frames to any number of peers of one worker, without Python in between.
 *
 *   application, or a received stream  ->  packetized once  ->  per peer: header, SRTP  ->  one send batch
 *
 * A frame is cut into payloads once per codec and payload size; each peer's sender then shares them. After the frame
 * all peers are drained together, so that the system calls are shared, too. All with the worker's lock held.
 */
#ifndef RT_IO_FANOUT_H
#define RT_IO_FANOUT_H

#include "io/worker.h"

typedef struct rt_fanout rt_fanout;

/* `tag` comes back with its events. */
rt_status rt_fanout_new(rt_worker *worker, const rt_payload_format *format, uint64_t tag, rt_fanout **out);
/* Ends what it gives and what is given to it. */
void rt_fanout_free(rt_fanout *fanout);

/* A peer's section and encoding gets all frames from the next key frame on (audio: the next frame). RT_EXISTS: it has
 * a source already. Removed by itself with the peer. */
rt_status rt_fanout_add(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding);
rt_status rt_fanout_remove(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding);
uint32_t rt_fanout_count(const rt_fanout *fanout);

/* Takes its frames from a section (and encoding) that a peer receives; key frame requests go there. The frames
 * come as events, too, if `also_events`. */
rt_status rt_fanout_from(rt_fanout *fanout, rt_worker_peer *peer, uint8_t section, uint8_t encoding, bool also_events);

/* One frame of the application. What a single peer refuses is counted there. */
rt_status rt_fanout_send(rt_fanout *fanout, const rt_frame *frame, rt_span data, rt_time captured);

/* Whether a consumer wants a key frame since asked last; an application's source asks after each frame or on the
 * worker event RT_WORKER_EVENT_FANOUT. */
bool rt_fanout_key_frame_needed(rt_fanout *fanout);
/* The lowest target bitrate among the consumers, bit/s; 0: unknown. */
uint64_t rt_fanout_bitrate(const rt_fanout *fanout);

#endif
