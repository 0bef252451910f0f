/* A bounded queue of items of one size, first in first out: events, chunks waiting, packets in flight.
 *
 * The items lie in one block of memory whose length is a power of two. It begins with nothing, doubles up
 * to `limit` items (rounded up to a power of two) and is kept; in the steady state nothing is allocated.
 * When it is full a push answers NULL and its owner decides what that means. Item pointers are good until
 * the next push.
 */
#ifndef RT_BASE_RING_H
#define RT_BASE_RING_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rt_ring {
    uint8_t *items;
    uint32_t item_size;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t limit;    /* a power of two */
    uint32_t head;     /* runs freely; modulo capacity the place of the first item */
    uint32_t count;
} rt_ring;

/* `limit` between 1 and 2^31. */
void rt_ring_init(rt_ring *ring, uint32_t item_size, uint32_t limit);
void rt_ring_free(rt_ring *ring);
/* Doubles the memory; false at the limit or when there is none. rt_ring_push calls it. */
bool rt_ring_grow(rt_ring *ring);

/* The item `index` places behind the first. */
static inline void *rt_ring_at(const rt_ring *ring, uint32_t index)
{
    assert(index < ring->count);
    return ring->items + (size_t)((ring->head + index) & (ring->capacity - 1)) * ring->item_size;
}

static inline void *rt_ring_first(const rt_ring *ring)
{
    return ring->count ? rt_ring_at(ring, 0) : NULL;
}

static inline void *rt_ring_last(const rt_ring *ring)
{
    return ring->count ? rt_ring_at(ring, ring->count - 1) : NULL;
}

/* Room for one more item at the end, not cleared; NULL when the ring is full or there is no memory. */
static inline void *rt_ring_push(rt_ring *ring)
{
    if (ring->count == ring->capacity && !rt_ring_grow(ring))
        return NULL;
    ring->count++;
    return rt_ring_at(ring, ring->count - 1);
}

/* Drops the first item. */
static inline void rt_ring_pop(rt_ring *ring)
{
    assert(ring->count > 0);
    ring->head++;
    ring->count--;
}

/* Drops the last item. */
static inline void rt_ring_pop_last(rt_ring *ring)
{
    assert(ring->count > 0);
    ring->count--;
}

static inline void rt_ring_clear(rt_ring *ring)
{
    ring->count = 0;
}

#endif
