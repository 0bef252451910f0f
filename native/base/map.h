/* Hash maps to pointers: open addressing, linear probing, deletion without tombstones.
 *
 *   rt_map        keyed by a 64-bit number: stream ids, handles, SSRCs, tags
 *   rt_bytes_map  keyed by bytes that the value's owner holds: source addresses, STUN user names
 *
 * For lookups per packet: one or two cache lines. Keys may be chosen by an attacker: the hash mixes a secret
 * `seed` in, which the owner draws from its rt_random. A zeroed map with seed 0 is valid (tests, trusted keys).
 * Values are never NULL. Memory doubles at three quarters of the slots and is kept when entries go; nothing
 * is allocated by lookups and removals, and none by puts up to what was reserved. A bound on the number of
 * entries is the owner's business (`count`).
 */
#ifndef RT_BASE_MAP_H
#define RT_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/status.h"

typedef struct rt_map_slot {
    uint64_t key;
    void *value; /* NULL: empty */
} rt_map_slot;

typedef struct rt_map {
    rt_map_slot *slots;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
    uint64_t seed;
} rt_map;

void rt_map_init(rt_map *map, uint64_t seed);
void rt_map_free(rt_map *map); /* the map's memory, not the values */
rt_status rt_map_reserve(rt_map *map, size_t count);
void *rt_map_get(const rt_map *map, uint64_t key); /* NULL: not in it */
/* Puts or replaces. RT_NO_MEMORY leaves the map as it was. */
rt_status rt_map_put(rt_map *map, uint64_t key, void *value);
/* The value that was there, or NULL. */
void *rt_map_remove(rt_map *map, uint64_t key);
/* All entries in any order: begin with `*at` = 0, until it answers NULL. `key` may be NULL. The map must not
 * change in between. */
void *rt_map_next(const rt_map *map, size_t *at, uint64_t *key);

typedef struct rt_bytes_slot {
    rt_span key; /* borrowed: must stay unchanged until it is removed or replaced */
    void *value;
    uint64_t hash;
} rt_bytes_slot;

typedef struct rt_bytes_map {
    rt_bytes_slot *slots;
    size_t count;
    size_t capacity;
    uint64_t seed;
} rt_bytes_map;

void rt_bytes_map_init(rt_bytes_map *map, uint64_t seed);
void rt_bytes_map_free(rt_bytes_map *map);
rt_status rt_bytes_map_reserve(rt_bytes_map *map, size_t count);
void *rt_bytes_map_get(const rt_bytes_map *map, rt_span key);
/* Puts or replaces; the map then refers to the bytes of this `key`. */
rt_status rt_bytes_map_put(rt_bytes_map *map, rt_span key, void *value);
void *rt_bytes_map_remove(rt_bytes_map *map, rt_span key);
void *rt_bytes_map_next(const rt_bytes_map *map, size_t *at, rt_span *key);

/* The hash of both maps. */
uint64_t rt_hash_number(uint64_t seed, uint64_t number);
uint64_t rt_hash_bytes(uint64_t seed, rt_span bytes);

#endif
