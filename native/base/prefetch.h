/* Memory that will be needed soon, asked for ahead of time.
 *
 * A server's peers are visited in turn, and each one's state has left the cache when its turn comes: a visit waits
 * for memory, one pointer after the other, longer than it computes. Asked for together, for several peers and one
 * pointer's depth after the other, the lines come side by side.
 *
 * A machine's `_prefetch(machine, step)` is called with the steps from 0 on, one for each depth; a step reads only
 * pointers whose lines the step before has asked for. It changes nothing, and may guess wrong.
 */
#ifndef RT_BASE_PREFETCH_H
#define RT_BASE_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

#define RT_LINE 64
#define RT_PREFETCHED 8 /* of records that are one per packet: about a frame's */

/* The lines that hold `size` bytes at `memory`; any address is fine. */
static inline void rt_prefetch(const void *memory, size_t size)
{
#if defined(__GNUC__)
    uintptr_t at = (uintptr_t)memory & ~(uintptr_t)(RT_LINE - 1), end = (uintptr_t)memory + size;
    for (; at < end; at += RT_LINE)
        __builtin_prefetch((const void *)at);
#else
    (void)memory;
    (void)size;
#endif
}

/* From one member of a structure to the end of another. */
#define RT_PREFETCH_FROM(object, type, first, last)                                                                    \
    rt_prefetch((const uint8_t *)(object) + offsetof(type, first),                                                     \
                offsetof(type, last) + sizeof((object)->last) - offsetof(type, first))

#endif
