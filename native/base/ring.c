#include "base/ring.h"

#include <stdlib.h>
#include <string.h>

#define SMALLEST 8

void rt_ring_init(rt_ring *ring, uint32_t item_size, uint32_t limit)
{
    assert(item_size > 0 && limit > 0 && limit <= (uint32_t)1 << 31);
    uint32_t power = 1;
    while (power < limit)
        power *= 2;
    *ring = (rt_ring){.item_size = item_size, .limit = power};
}

void rt_ring_free(rt_ring *ring)
{
    free(ring->items);
    *ring = (rt_ring){.item_size = ring->item_size, .limit = ring->limit};
}

bool rt_ring_grow(rt_ring *ring)
{
    if (ring->capacity >= ring->limit)
        return false;
    uint32_t capacity = ring->capacity ? ring->capacity * 2 : ring->limit < SMALLEST ? ring->limit : SMALLEST;
    uint8_t *items = malloc((size_t)capacity * ring->item_size);
    if (!items)
        return false;
    for (uint32_t i = 0; i < ring->count; i++)
        memcpy(items + (size_t)i * ring->item_size, rt_ring_at(ring, i), ring->item_size);
    free(ring->items);
    ring->items = items;
    ring->capacity = capacity;
    ring->head = 0;
    return true;
}
