/* What was sent of one RTP stream and may be asked for again: packets by reference into the payloads of their
 * frames, which all senders of a frame share.
 *
 *   packets  | 412 | 413 | 414 | 415 | 416 |          one record each, sequence numbers without holes
 *               |     |     |     |     |
 *   frames   |   17      |       18      |             one reference to the payloads each, and the header
 *
 * A packet is found by its sequence number in one step. Bounded by time, by bytes and by RT_HISTORY_PACKETS, the
 * oldest go first; the payloads of a frame go with the last of its packets. In the steady state nothing is
 * allocated. One thread at a time.
 */
#ifndef RT_PROTO_HISTORY_H
#define RT_PROTO_HISTORY_H

#include "base/ring.h"
#include "base/time.h"
#include "wire/payload.h"
#include "wire/rtp.h"

#define RT_HISTORY_PACKETS 16384 /* well below half of the sequence numbers */
#define RT_HISTORY_FRAMES 4096
#define RT_HISTORY_HEADER 128 /* fixed header and all extensions that a sender writes */

/* What all packets of a frame share. */
typedef struct rt_history_frame {
    rt_payloads *payloads; /* a reference */
    uint32_t timestamp;    /* as on the wire */
    uint32_t left;         /* packets that are still to come, or still kept */
    uint8_t payload_type, rtx_payload_type;
    uint8_t header_size;
    uint8_t transport_at, abs_send_time_at; /* where they stand in `header`; 0: nowhere */
    uint8_t header[RT_HISTORY_HEADER];      /* of each of its packets, but for marker, sequence number and stamps */
    rt_rtp_values values;                   /* that the header was made of */
} rt_history_frame;

typedef struct rt_history_packet {
    rt_time sent;   /* the first time */
    rt_time resent; /* when it was last asked for with success; 0: never */
    uint32_t frame; /* number, runs freely */
    uint32_t index; /* of its payload */
    uint32_t abs_send_time;
    uint16_t transport_sequence;
    uint16_t size; /* of its payload */
    uint8_t resends;
    bool queued; /* for retransmission, and not written yet */
    bool marker;
} rt_history_packet;

typedef struct rt_history {
    rt_ring frames, packets;
    uint32_t first_frame;    /* number of the first in `frames` */
    uint16_t first_sequence; /* of the first in `packets` */
    size_t bytes;            /* of payloads, packet by packet */
} rt_history;

void rt_history_init(rt_history *history);
void rt_history_free(rt_history *history);

/* Begins a frame, whose packets follow. Takes another reference to its payloads. False: there is no memory, nothing
 * is kept any more, and its packets must not be added. */
bool rt_history_begin(rt_history *history, const rt_history_frame *frame);
/* A packet of the frame begun last was sent; `sequence` is the next after the one before. NULL: there is no memory,
 * and nothing is kept any more. The rest of the record is for the caller to fill in. */
rt_history_packet *rt_history_add(rt_history *history, uint16_t sequence, uint32_t index, size_t size, rt_time now);
/* NULL: not there (any more). Both pointers are good until the next call that is not a find. */
rt_history_packet *rt_history_find(const rt_history *history, uint16_t sequence, rt_history_frame **frame);
/* What the next frame takes the places of, and what goes for it; the structure itself is there (base/prefetch.h). */
void rt_history_prefetch(const rt_history *history);
/* Forgets what was sent before `oldest`, but for the last `few` packets; and the oldest beyond `max_bytes`. */
void rt_history_trim(rt_history *history, rt_time oldest, uint32_t few, size_t max_bytes);
/* Forgets all. */
void rt_history_clear(rt_history *history);

#endif
