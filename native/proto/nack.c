#include "proto/nack.h"

#define ROUND_TRIP_UNKNOWN RT_MS(100)
#define GRACE_MIN RT_MS(5)
#define GRACE_MAX RT_MS(20)
#define RETRY_MIN RT_MS(10)

typedef struct missing {
    uint64_t sequence;
    rt_time since, due;
    uint8_t tries;
    bool gone; /* it came, or is given up */
} missing;

void rt_nack_init(rt_nack *nack)
{
    *nack = (rt_nack){.deadline = RT_NEVER, .round_trip = ROUND_TRIP_UNKNOWN, .grace = GRACE_MIN};
    rt_ring_init(&nack->missing, sizeof(missing), RT_NACK_MAX);
}

void rt_nack_free(rt_nack *nack)
{
    rt_ring_free(&nack->missing);
}

static void pop(rt_nack *nack)
{
    missing *first = rt_ring_first(&nack->missing);
    if (!first->gone) {
        nack->count--;
        nack->given_up++;
    }
    rt_ring_pop(&nack->missing);
}

/* Removes what has come from the front, and with no one left, the deadline. */
static void tidy(rt_nack *nack)
{
    missing *first;
    while ((first = rt_ring_first(&nack->missing)) && first->gone)
        rt_ring_pop(&nack->missing);
    if (!nack->count)
        nack->deadline = RT_NEVER;
}

static void pass_over(rt_nack *nack, uint64_t sequence, rt_time now)
{
    uint64_t from = nack->highest + 1;
    if (sequence - from > RT_NACK_MAX) {
        nack->given_up += sequence - from - RT_NACK_MAX;
        from = sequence - RT_NACK_MAX;
    }
    for (; from < sequence; from++) {
        if (nack->missing.count == RT_NACK_MAX)
            pop(nack);
        missing *entry = rt_ring_push(&nack->missing);
        if (!entry) { /* no memory: it is not asked for */
            nack->given_up++;
            continue;
        }
        *entry = (missing){.sequence = from, .since = now, .due = now + nack->grace};
        nack->count++;
        nack->deadline = rt_time_min(nack->deadline, entry->due);
    }
}

static missing *find(rt_nack *nack, uint64_t sequence)
{
    uint32_t low = 0, high = nack->missing.count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        missing *entry = rt_ring_at(&nack->missing, middle);
        if (entry->sequence == sequence)
            return entry;
        if (entry->sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void came_late(rt_nack *nack, uint64_t sequence, bool recovered, rt_time now)
{
    missing *entry = find(nack, sequence);
    if (!entry || entry->gone)
        return;
    if (!recovered) { /* only reordered: be as patient as that, next time; and less so by and by */
        rt_time late = rt_time_min((now - entry->since) * 5 / 4, GRACE_MAX);
        nack->grace = late > nack->grace ? late : rt_time_max(GRACE_MIN, nack->grace - (nack->grace - late) / 16);
    }
    entry->gone = true;
    nack->count--;
    tidy(nack);
}

void rt_nack_arrived(rt_nack *nack, uint64_t sequence, bool recovered, rt_time now)
{
    if (!nack->highest) {
        nack->highest = sequence;
        return;
    }
    if (sequence <= nack->highest) {
        if (nack->count)
            came_late(nack, sequence, recovered, now);
        return;
    }
    if (sequence > nack->highest + 1)
        pass_over(nack, sequence, now);
    nack->highest = sequence;
    if (nack->count && sequence > RT_NACK_AGE)
        rt_nack_forget(nack, sequence - RT_NACK_AGE);
}

void rt_nack_forget(rt_nack *nack, uint64_t before)
{
    missing *first;
    while ((first = rt_ring_first(&nack->missing)) && (first->gone || first->sequence < before))
        pop(nack);
    tidy(nack);
}

void rt_nack_restart(rt_nack *nack, uint64_t sequence)
{
    rt_nack_forget(nack, UINT64_MAX);
    nack->highest = sequence;
}

size_t rt_nack_due(rt_nack *nack, uint64_t *out, size_t max, rt_time now)
{
    if (now < nack->deadline)
        return 0;
    size_t count = 0;
    rt_time retry = rt_time_max(nack->round_trip, RETRY_MIN);
    nack->deadline = RT_NEVER;
    for (uint32_t i = 0; i < nack->missing.count; i++) {
        missing *entry = rt_ring_at(&nack->missing, i);
        if (entry->gone)
            continue;
        if (entry->due <= now) {
            if (count == max) {
                nack->deadline = now;
                break;
            }
            if (entry->tries == RT_NACK_TRIES) {
                entry->gone = true;
                nack->count--;
                nack->given_up++;
                continue;
            }
            entry->tries++;
            entry->due = now + retry;
            out[count++] = entry->sequence;
        }
        nack->deadline = rt_time_min(nack->deadline, entry->due);
    }
    tidy(nack);
    nack->asked += count;
    return count;
}

void rt_nack_set_round_trip(rt_nack *nack, rt_time round_trip)
{
    nack->round_trip = round_trip > 0 ? round_trip : 0;
}
