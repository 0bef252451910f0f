/* Serial number arithmetic (RFC 1982) for 16-bit and 32-bit sequence numbers, and their unwrapping.
 *
 * `a < b` on a circle: true when b is ahead of a by less than half of it.
 */
#ifndef RT_BASE_SEQ_H
#define RT_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool rt_seq16_before(uint16_t a, uint16_t b)
{
    return (int16_t)(uint16_t)(a - b) < 0;
}

static inline bool rt_seq32_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool rt_seq32_at_most(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

/* The 64-bit number nearest to `reference` whose low 16 or 32 bits are `value`. A reference that starts
 * at or above one full turn keeps the result from going below zero. */
static inline uint64_t rt_seq16_unwrap(uint64_t reference, uint16_t value)
{
    return reference + (uint64_t)(int64_t)(int16_t)(uint16_t)(value - (uint16_t)reference);
}

static inline uint64_t rt_seq32_unwrap(uint64_t reference, uint32_t value)
{
    return reference + (uint64_t)(int64_t)(int32_t)(value - (uint32_t)reference);
}

#endif
