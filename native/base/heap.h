/* Deadlines in order: a min-heap of timers that live inside the objects they belong to.
 *
 * For the worker (one timer per peer, thousands of peers) and for machines with many deadlines at once (one
 * per STUN transaction, per message with a life time). A machine with a handful of timers is better served
 * by fields and rt_time_min().
 *
 * A timer is a member of its owner, zero when not in a heap, and must not move while it is in one. Setting,
 * moving and removing cost O(log n), looking at the first nothing. The heap's memory grows by doubling and
 * is kept; after rt_heap_reserve(n) no set of up to n timers can fail.
 */
#ifndef RT_BASE_HEAP_H
#define RT_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/time.h"

typedef struct rt_timer {
    uint32_t place; /* index in the heap + 1; 0: not in a heap */
} rt_timer;

typedef struct rt_heap_entry {
    rt_time at; /* beside the pointer, so that ordering does not touch the owners' memory */
    rt_timer *timer;
} rt_heap_entry;

typedef struct rt_heap {
    rt_heap_entry *entries;
    uint32_t count;
    uint32_t capacity;
} rt_heap;

/* The object whose member `member` the timer is. */
#define RT_TIMER_OWNER(timer, type, member) ((type *)(void *)((char *)(timer) - offsetof(type, member)))

/* A zeroed heap is a valid empty one. */
static inline void rt_heap_init(rt_heap *heap)
{
    *heap = (rt_heap){0};
}

/* The heap's memory. Timers still in it are not touched: their owners may be gone already. */
void rt_heap_free(rt_heap *heap);

/* RT_NO_MEMORY leaves everything as it was. */
rt_status rt_heap_reserve(rt_heap *heap, uint32_t count);
/* Puts the timer in, or moves it; RT_NEVER takes it out. RT_NO_MEMORY leaves everything as it was. */
rt_status rt_heap_set(rt_heap *heap, rt_timer *timer, rt_time at);
/* Does nothing if it is not in. */
void rt_heap_remove(rt_heap *heap, rt_timer *timer);
/* Takes out the earliest timer if it is due at `now`; else NULL. Timers of the same time come in any order. */
rt_timer *rt_heap_pop(rt_heap *heap, rt_time now);

static inline rt_time rt_heap_deadline(const rt_heap *heap)
{
    return heap->count ? heap->entries[0].at : RT_NEVER;
}

static inline bool rt_timer_is_set(const rt_timer *timer)
{
    return timer->place != 0;
}

/* When a timer that is in the heap is due. */
static inline rt_time rt_heap_time_of(const rt_heap *heap, const rt_timer *timer)
{
    return timer->place ? heap->entries[timer->place - 1].at : RT_NEVER;
}

#endif
