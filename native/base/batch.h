/* Many datagrams on their way out, in memory of the caller: what every `..._transmit` fills.
 *
 *   memory  | head | packet 0 | tail | head | packet 1 | tail | ...
 *
 * A machine reserves room for one packet, writes it, and commits its size. The owner of the batch sets
 * `headroom` and `tailroom` so that the layer below can put its header and tag around the packet without
 * moving it, and `socket` and `to` so that each committed packet knows where it goes. A batch never
 * allocates and never grows: when it is full, reserve answers NULL, the machine stops, and its owner
 * sends, resets and calls again. Used by one thread at a time.
 */
#ifndef RT_BASE_BATCH_H
#define RT_BASE_BATCH_H

#include "base/addr.h"
#include "base/span.h"

typedef struct rt_packet {
    uint8_t *data; /* into the batch's memory; headroom bytes before it belong to this packet */
    uint32_t size;
    uint16_t socket; /* index of the caller's socket to send from */
    uint16_t mark;   /* DSCP << 2 | ECN, 0 for none */
    rt_addr to;
} rt_packet;

typedef struct rt_batch {
    uint8_t *memory;
    size_t capacity;
    size_t used;
    rt_packet *packets;
    uint32_t count;
    uint32_t max;

    /* Set by the owner before a transmit call, copied by rt_batch_commit. */
    uint16_t headroom;
    uint16_t tailroom;
    uint16_t socket;
    uint16_t mark;
    rt_addr to;
} rt_batch;

static inline void rt_batch_init(rt_batch *batch, rt_buffer memory, rt_packet *packets, uint32_t max)
{
    *batch = (rt_batch){.memory = memory.data, .capacity = memory.size, .packets = packets, .max = max};
}

/* Forgets all packets, keeps the memory and the owner's settings. */
static inline void rt_batch_reset(rt_batch *batch)
{
    batch->used = 0;
    batch->count = 0;
}

/* Room for one packet of up to `size` bytes, or NULL when the batch is full. A second reserve without a
 * commit gives the same room again. */
static inline uint8_t *rt_batch_reserve(rt_batch *batch, size_t size)
{
    size_t need = (size_t)batch->headroom + size + batch->tailroom;
    if (batch->count == batch->max || batch->capacity - batch->used < need)
        return NULL;
    return batch->memory + batch->used + batch->headroom;
}

/* The packet last reserved is complete and `size` bytes long. The packet is returned, so that a layer
 * that puts something around it can move `data` and change `size` within its head and tail. */
static inline rt_packet *rt_batch_commit(rt_batch *batch, size_t size)
{
    rt_packet *packet = &batch->packets[batch->count++];
    packet->data = batch->memory + batch->used + batch->headroom;
    packet->size = (uint32_t)size;
    packet->socket = batch->socket;
    packet->mark = batch->mark;
    packet->to = batch->to;
    batch->used += (size_t)batch->headroom + size + batch->tailroom;
    return packet;
}

#endif
