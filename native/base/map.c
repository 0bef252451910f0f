#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

#define SMALLEST 16

/* ---- hashing: the two halves of a 64 x 64 product, folded ---- */

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t rt_hash_number(uint64_t seed, uint64_t number)
{
    return fold(fold(number ^ seed ^ 0x9e3779b97f4a7c15u, 0xe7037ed1a0b428dbu), seed ^ 0x8ebc6af09c88c6e3u);
}

uint64_t rt_hash_bytes(uint64_t seed, rt_span bytes)
{
    const uint8_t *p = bytes.data;
    size_t left = bytes.size;
    uint64_t hash = seed ^ 0xa0761d6478bd642fu ^ bytes.size;
    for (; left >= 8; p += 8, left -= 8)
        hash = fold(hash ^ rt_load64(p), 0xe7037ed1a0b428dbu ^ seed);
    uint64_t rest = 0;
    for (; left > 0; p++, left--)
        rest = rest << 8 | *p;
    return fold(hash ^ rest, 0x8ebc6af09c88c6e3u ^ seed);
}

/* Slots for `count` entries at three quarters; 0 when that cannot be. */
static size_t slots_for(size_t count)
{
    size_t capacity = SMALLEST;
    while (capacity / 4 * 3 < count) {
        if (capacity > SIZE_MAX / 128)
            return 0;
        capacity *= 2;
    }
    return capacity;
}

/* Whether an entry that belongs at `home` may be moved from `at` back to the gap at `gap`: not if that is
 * before its home. */
static bool may_fill(size_t gap, size_t at, size_t home, size_t mask)
{
    return ((at - home) & mask) >= ((at - gap) & mask);
}

/* ---- keyed by a number ---- */

static size_t find(const rt_map *map, uint64_t key)
{
    size_t mask = map->capacity - 1, at = rt_hash_number(map->seed, key) & mask;
    while (map->slots[at].value && map->slots[at].key != key)
        at = (at + 1) & mask;
    return at;
}

void rt_map_init(rt_map *map, uint64_t seed)
{
    *map = (rt_map){.seed = seed};
}

void rt_map_free(rt_map *map)
{
    free(map->slots);
    rt_map_init(map, map->seed);
}

rt_status rt_map_reserve(rt_map *map, size_t count)
{
    if (count <= map->capacity / 4 * 3)
        return RT_OK;
    rt_map grown = {.capacity = slots_for(count), .count = map->count, .seed = map->seed};
    if (grown.capacity)
        grown.slots = calloc(grown.capacity, sizeof *grown.slots);
    if (!grown.slots)
        return RT_NO_MEMORY;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].value)
            grown.slots[find(&grown, map->slots[i].key)] = map->slots[i];
    }
    free(map->slots);
    *map = grown;
    return RT_OK;
}

void *rt_map_get(const rt_map *map, uint64_t key)
{
    return map->count ? map->slots[find(map, key)].value : NULL;
}

rt_status rt_map_put(rt_map *map, uint64_t key, void *value)
{
    assert(value);
    if (map->count) {
        rt_map_slot *slot = &map->slots[find(map, key)];
        if (slot->value) {
            slot->value = value;
            return RT_OK;
        }
    }
    rt_status status = rt_map_reserve(map, map->count + 1);
    if (status != RT_OK)
        return status;
    map->slots[find(map, key)] = (rt_map_slot){key, value};
    map->count++;
    return RT_OK;
}

void *rt_map_remove(rt_map *map, uint64_t key)
{
    if (!map->count)
        return NULL;
    size_t mask = map->capacity - 1, gap = find(map, key);
    void *value = map->slots[gap].value;
    if (!value)
        return NULL;
    for (size_t at = (gap + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        if (may_fill(gap, at, rt_hash_number(map->seed, map->slots[at].key) & mask, mask)) {
            map->slots[gap] = map->slots[at];
            gap = at;
        }
    }
    map->slots[gap].value = NULL;
    map->count--;
    return value;
}

void *rt_map_next(const rt_map *map, size_t *at, uint64_t *key)
{
    while (*at < map->capacity) {
        const rt_map_slot *slot = &map->slots[(*at)++];
        if (slot->value) {
            if (key)
                *key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}

/* ---- keyed by bytes ---- */

static size_t find_bytes(const rt_bytes_map *map, rt_span key, uint64_t hash)
{
    size_t mask = map->capacity - 1, at = hash & mask;
    while (map->slots[at].value && !(map->slots[at].hash == hash && rt_span_equal(map->slots[at].key, key)))
        at = (at + 1) & mask;
    return at;
}

void rt_bytes_map_init(rt_bytes_map *map, uint64_t seed)
{
    *map = (rt_bytes_map){.seed = seed};
}

void rt_bytes_map_free(rt_bytes_map *map)
{
    free(map->slots);
    rt_bytes_map_init(map, map->seed);
}

rt_status rt_bytes_map_reserve(rt_bytes_map *map, size_t count)
{
    if (count <= map->capacity / 4 * 3)
        return RT_OK;
    rt_bytes_map grown = {.capacity = slots_for(count), .count = map->count, .seed = map->seed};
    if (grown.capacity)
        grown.slots = calloc(grown.capacity, sizeof *grown.slots);
    if (!grown.slots)
        return RT_NO_MEMORY;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].value)
            grown.slots[find_bytes(&grown, map->slots[i].key, map->slots[i].hash)] = map->slots[i];
    }
    free(map->slots);
    *map = grown;
    return RT_OK;
}

void *rt_bytes_map_get(const rt_bytes_map *map, rt_span key)
{
    return map->count ? map->slots[find_bytes(map, key, rt_hash_bytes(map->seed, key))].value : NULL;
}

rt_status rt_bytes_map_put(rt_bytes_map *map, rt_span key, void *value)
{
    assert(value);
    uint64_t hash = rt_hash_bytes(map->seed, key);
    bool replaces = map->count && map->slots[find_bytes(map, key, hash)].value;
    if (!replaces) {
        rt_status status = rt_bytes_map_reserve(map, map->count + 1);
        if (status != RT_OK)
            return status;
        map->count++;
    }
    map->slots[find_bytes(map, key, hash)] = (rt_bytes_slot){key, value, hash};
    return RT_OK;
}

void *rt_bytes_map_remove(rt_bytes_map *map, rt_span key)
{
    if (!map->count)
        return NULL;
    size_t mask = map->capacity - 1, gap = find_bytes(map, key, rt_hash_bytes(map->seed, key));
    void *value = map->slots[gap].value;
    if (!value)
        return NULL;
    for (size_t at = (gap + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        if (may_fill(gap, at, map->slots[at].hash & mask, mask)) {
            map->slots[gap] = map->slots[at];
            gap = at;
        }
    }
    map->slots[gap].value = NULL;
    map->count--;
    return value;
}

void *rt_bytes_map_next(const rt_bytes_map *map, size_t *at, rt_span *key)
{
    while (*at < map->capacity) {
        const rt_bytes_slot *slot = &map->slots[(*at)++];
        if (slot->value) {
            if (key)
                *key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}
