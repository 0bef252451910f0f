#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

/* Four children per node: half the depth of a binary heap, and the children share a cache line. */
#define ARITY 4

static void place(rt_heap *heap, uint32_t index, rt_heap_entry entry)
{
    heap->entries[index] = entry;
    entry.timer->place = index + 1;
}

static void sift_up(rt_heap *heap, uint32_t index, rt_heap_entry entry)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / ARITY;
        if (heap->entries[parent].at <= entry.at)
            break;
        place(heap, index, heap->entries[parent]);
        index = parent;
    }
    place(heap, index, entry);
}

static void sift_down(rt_heap *heap, uint32_t index, rt_heap_entry entry)
{
    for (;;) {
        uint32_t first = index * ARITY + 1, least = first;
        if (first >= heap->count)
            break;
        for (uint32_t child = first + 1; child < first + ARITY && child < heap->count; child++) {
            if (heap->entries[child].at < heap->entries[least].at)
                least = child;
        }
        if (heap->entries[least].at >= entry.at)
            break;
        place(heap, index, heap->entries[least]);
        index = least;
    }
    place(heap, index, entry);
}

/* The entry at `index` is to be `entry`, wherever that belongs. */
static void settle(rt_heap *heap, uint32_t index, rt_heap_entry entry)
{
    if (index > 0 && heap->entries[(index - 1) / ARITY].at > entry.at)
        sift_up(heap, index, entry);
    else
        sift_down(heap, index, entry);
}

void rt_heap_free(rt_heap *heap)
{
    free(heap->entries);
    rt_heap_init(heap);
}

rt_status rt_heap_reserve(rt_heap *heap, uint32_t count)
{
    if (count <= heap->capacity)
        return RT_OK;
    if (count > UINT32_MAX / 2)
        return RT_NO_MEMORY;
    uint32_t capacity = heap->capacity ? heap->capacity : 16;
    while (capacity < count)
        capacity *= 2;
    rt_heap_entry *entries = realloc(heap->entries, capacity * sizeof *entries);
    if (!entries)
        return RT_NO_MEMORY;
    heap->entries = entries;
    heap->capacity = capacity;
    return RT_OK;
}

rt_status rt_heap_set(rt_heap *heap, rt_timer *timer, rt_time at)
{
    rt_heap_entry entry = {at, timer};
    if (at == RT_NEVER) {
        rt_heap_remove(heap, timer);
        return RT_OK;
    }
    if (timer->place) {
        settle(heap, timer->place - 1, entry);
        return RT_OK;
    }
    rt_status status = rt_heap_reserve(heap, heap->count + 1);
    if (status == RT_OK)
        sift_up(heap, heap->count++, entry);
    return status;
}

void rt_heap_remove(rt_heap *heap, rt_timer *timer)
{
    if (timer->place == 0)
        return;
    uint32_t index = timer->place - 1;
    assert(index < heap->count && heap->entries[index].timer == timer);
    timer->place = 0;
    rt_heap_entry last = heap->entries[--heap->count];
    if (index < heap->count)
        settle(heap, index, last);
}

rt_timer *rt_heap_pop(rt_heap *heap, rt_time now)
{
    if (heap->count == 0 || heap->entries[0].at > now)
        return NULL;
    rt_timer *timer = heap->entries[0].timer;
    rt_heap_remove(heap, timer);
    return timer;
}
