#include "proto/twcc.h"

#include <stdlib.h>

#include "base/prefetch.h"
#include "base/seq.h"
#include "wire/rtcp.h"

enum {
    NOTES = 4096,
    NOTES_FIRST = 256,
    AT_ONCE = 256,       /* packets that do not wait for the interval */
    REPORT_SIZE = 68,    /* bytes of an average report with all that goes around it */
    SHARE = 20,          /* of the incoming rate that reports may take: a twentieth */
    PACKETS_MOST = 1024, /* numbers in one report */
};

#define INTERVAL_FIRST RT_MS(100)
#define INTERVAL_LEAST RT_MS(50)
#define INTERVAL_MOST RT_MS(250)
#define TICK RT_US(250)
#define TICKS_PER_REFERENCE 256 /* 64 ms */
#define NOT_HERE INT64_MIN

struct rt_twcc {
    rt_time *notes; /* arrivals by number modulo capacity; NOT_HERE */
    uint32_t capacity;
    uint64_t next, end; /* numbers to be told of are in [next, end); both 0 before the first packet */
    uint32_t waiting;   /* arrivals that were not told of */
    uint64_t bytes;     /* since `told_at` */
    rt_time told_at, interval;
    uint32_t media;
    uint8_t feedback;        /* counter */
    rt_twcc_packet *packets; /* PACKETS_MOST, of the report being written; with the first notes */
};

rt_twcc *rt_twcc_new(void)
{
    rt_twcc *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->interval = INTERVAL_FIRST;
    return t;
}

void rt_twcc_free(rt_twcc *t)
{
    if (!t)
        return;
    free(t->notes);
    free(t->packets);
    free(t);
}

static rt_time *note(const rt_twcc *t, uint64_t number)
{
    return &t->notes[number & (t->capacity - 1)];
}

/* Room for the numbers from `from` to before `to`. */
static bool grow(rt_twcc *t, uint64_t from, uint64_t to)
{
    uint32_t capacity = t->capacity ? t->capacity : NOTES_FIRST;
    while (capacity < to - from)
        capacity *= 2;
    if (capacity == t->capacity)
        return true;
    if (!t->packets)
        t->packets = malloc(PACKETS_MOST * sizeof *t->packets);
    rt_time *notes = t->packets ? malloc(capacity * sizeof *notes) : NULL;
    if (!notes)
        return false;
    for (uint32_t i = 0; i < capacity; i++)
        notes[i] = NOT_HERE;
    uint64_t first = t->end > t->capacity ? t->end - t->capacity : 0;
    for (uint64_t i = first; i < t->end; i++)
        notes[i & (capacity - 1)] = *note(t, i);
    free(t->notes);
    t->notes = notes;
    t->capacity = capacity;
    return true;
}

/* Numbers in [end, to) did not come yet; what their notes held is forgotten. */
static void extend(rt_twcc *t, uint64_t to)
{
    uint64_t from = to - t->end > t->capacity ? to - t->capacity : t->end;
    for (uint64_t i = from; i < to; i++)
        *note(t, i) = NOT_HERE;
    t->end = to;
    if (t->next + t->capacity < to)
        t->next = to - t->capacity;
}

void rt_twcc_arrived(rt_twcc *t, uint16_t sequence, uint32_t ssrc, size_t size, rt_time now)
{
    uint64_t number = t->end ? rt_seq16_unwrap(t->end, sequence) : (uint64_t)65536 + sequence;
    if (!t->end) {
        t->next = t->end = number;
        t->told_at = now;
    }
    t->bytes += size;
    t->media = ssrc;
    if (number >= t->end) {
        uint64_t from = number - t->next < NOTES ? t->next : number - NOTES + 1;
        if (!grow(t, from, number + 1))
            return;
        extend(t, number + 1);
    } else if (number + t->capacity < t->end || *note(t, number) != NOT_HERE) {
        return; /* forgotten long ago, or a duplicate */
    }
    *note(t, number) = now;
    t->waiting++;
    if (number < t->next) /* told of as lost: told of again */
        t->next = number;
}

void rt_twcc_prefetch(const rt_twcc *t)
{
    rt_prefetch(t, sizeof *t);
}

rt_time rt_twcc_deadline(const rt_twcc *t)
{
    if (!t->waiting)
        return RT_NEVER;
    return t->waiting >= AT_ONCE ? t->told_at : t->told_at + t->interval;
}

static int64_t ticks(rt_time at)
{
    return at / TICK;
}

/* As many as go into one report: until the deltas do not fit. */
static size_t collect(rt_twcc *t, int64_t reference)
{
    size_t count = 0;
    int64_t last = reference * TICKS_PER_REFERENCE;
    for (uint64_t i = t->next; i < t->end && count < PACKETS_MOST; i++, count++) {
        rt_time at = *note(t, i);
        t->packets[count] = (rt_twcc_packet){.sequence = (uint16_t)i, .received = at != NOT_HERE};
        if (at == NOT_HERE)
            continue;
        int64_t delta = ticks(at) - last;
        if (delta > INT16_MAX || delta < INT16_MIN)
            break;
        t->packets[count].delta = (int32_t)delta;
        last += delta;
    }
    return count;
}

static void set_interval(rt_twcc *t, rt_time now)
{
    rt_time since = now - t->told_at;
    if (t->bytes && since > 0) { /* as often as a twentieth of the rate allows */
        double interval = (double)since * REPORT_SIZE * SHARE / (double)t->bytes;
        t->interval = interval<(double)INTERVAL_LEAST ? INTERVAL_LEAST : interval>(double) INTERVAL_MOST
                          ? INTERVAL_MOST
                          : (rt_time)interval;
    }
    t->bytes = 0;
    t->told_at = now;
}

bool rt_twcc_feedback(rt_twcc *t, rt_writer *out, uint32_t sender, rt_time now)
{
    if (now < rt_twcc_deadline(t))
        return false;
    while (t->next < t->end && *note(t, t->next) == NOT_HERE)
        t->next++;
    if (t->next == t->end) {
        t->waiting = 0;
        return false;
    }
    int64_t reference = ticks(*note(t, t->next)) / TICKS_PER_REFERENCE;
    size_t count = collect(t, reference);
    size_t written =
        rt_rtcp_write_twcc(out, sender, t->media, (int32_t)(reference & 0xFFFFFF), t->feedback, t->packets, count);
    if (!written)
        return false;
    t->feedback++;
    t->next += written;
    if (t->next < t->end)
        return true; /* the rest follows at once */
    t->waiting = 0;
    set_interval(t, now);
    return true;
}
