#include "proto/reception.h"

#include <string.h>

#include "base/seq.h"

enum {
    TURN = 65536,
    PROBATION_LOSS = 4,       /* packets that may be missing between the two of a probation */
    JITTER_LIMIT_SECONDS = 5, /* a larger difference is a jump of the timestamps */
    LOST_MAX = 0x7FFFFF,      /* 24 bits signed */
};

static bool take(rt_reception *r, uint64_t extended)
{
    uint64_t *word = &r->seen[extended % RT_RECEPTION_WINDOW / 64];
    uint64_t bit = (uint64_t)1 << (extended % 64);
    bool seen = *word & bit;
    *word |= bit;
    return !seen;
}

/* The bits of the numbers in (highest, extended) stand for older numbers: they are cleared. */
static void advance(rt_reception *r, uint64_t extended)
{
    if (extended - r->highest >= RT_RECEPTION_WINDOW) {
        memset(r->seen, 0, sizeof r->seen);
    } else {
        for (uint64_t i = r->highest + 1; i <= extended; i++)
            r->seen[i % RT_RECEPTION_WINDOW / 64] &= ~((uint64_t)1 << (i % 64));
    }
    r->highest = extended;
}

static void begin(rt_reception *r, uint64_t extended)
{
    memset(r->seen, 0, sizeof r->seen);
    r->first = r->highest = extended;
    r->probation = r->timed = false;
    (void)take(r, extended);
    r->received++;
}

rt_arrival rt_reception_sequence(rt_reception *r, uint16_t sequence, bool recovered, uint64_t *extended)
{
    if (!r->highest) { /* one turn of room below, for packets that were overtaken by the first */
        *extended = (uint64_t)TURN + sequence;
        begin(r, *extended);
        return RT_ARRIVAL_NEW;
    }
    uint64_t number = rt_seq16_unwrap(r->highest, sequence);
    bool ahead = number > r->highest;
    if (ahead ? number - r->highest >= RT_RECEPTION_DROPOUT : r->highest - number >= RT_RECEPTION_WINDOW) {
        if (recovered)
            return RT_ARRIVAL_JUMP;
        if (r->probation && (uint16_t)(sequence - r->awaited) < PROBATION_LOSS) {
            r->expected_before += r->highest - r->first + 1;
            *extended = (r->highest | (TURN - 1)) + 1 + sequence;
            begin(r, *extended);
            return RT_ARRIVAL_RESTART;
        }
        r->probation = true;
        r->awaited = (uint16_t)(sequence + 1);
        return RT_ARRIVAL_JUMP;
    }
    *extended = number;
    if (!recovered) {
        r->probation = false;
        r->received++;
    }
    if (ahead)
        advance(r, number);
    else if (number < r->first && !recovered)
        r->first = number;
    return take(r, number) ? RT_ARRIVAL_NEW : RT_ARRIVAL_DUPLICATE;
}

void rt_reception_forget(rt_reception *r, uint64_t extended)
{
    if (extended <= r->highest && r->highest - extended < RT_RECEPTION_WINDOW)
        r->seen[extended % RT_RECEPTION_WINDOW / 64] &= ~((uint64_t)1 << (extended % 64));
}

void rt_reception_time(rt_reception *r, uint64_t extended, uint32_t timestamp, uint32_t clock_rate, rt_time now)
{
    if (extended != r->highest || (r->timed && timestamp == r->timestamp && clock_rate == r->clock_rate))
        return;
    uint32_t arrival = (uint32_t)(uint64_t)((double)now * clock_rate * 1e-9);
    uint32_t transit = arrival - timestamp;
    if (r->timed && clock_rate == r->clock_rate) {
        int32_t change = (int32_t)(transit - r->transit);
        uint32_t distance = change < 0 ? -(uint32_t)change : (uint32_t)change;
        if (distance < JITTER_LIMIT_SECONDS * clock_rate)
            r->jitter += distance - ((r->jitter + 8) >> 4);
    }
    r->timed = true;
    r->timestamp = timestamp;
    r->transit = transit;
    r->clock_rate = clock_rate;
}

void rt_reception_sender_report(rt_reception *r, uint32_t ntp_middle, rt_time now)
{
    r->last_sr = ntp_middle;
    r->last_sr_at = now;
}

uint64_t rt_reception_expected(const rt_reception *r)
{
    return r->highest ? r->expected_before + r->highest - r->first + 1 : 0;
}

bool rt_reception_report(rt_reception *r, uint32_t ssrc, rt_rtcp_block *out, rt_time now)
{
    if (!r->highest)
        return false;
    uint64_t expected = rt_reception_expected(r);
    int64_t lost = rt_reception_lost(r);
    uint64_t expected_now = expected - r->expected_prior;
    int64_t lost_now = (int64_t)(expected_now - (r->received - r->received_prior));
    r->expected_prior = expected;
    r->received_prior = r->received;

    *out = (rt_rtcp_block){
        .ssrc = ssrc,
        .lost = (int32_t)(lost > LOST_MAX        ? LOST_MAX
                          : lost < -LOST_MAX - 1 ? -LOST_MAX - 1
                                                 : lost),
        .highest = (uint32_t)(r->highest - TURN),
        .jitter = r->jitter >> 4,
    };
    if (lost_now > 0 && (int64_t)expected_now > 0) {
        uint64_t fraction = ((uint64_t)lost_now << 8) / expected_now;
        out->fraction_lost = (uint8_t)(fraction > 255 ? 255 : fraction);
    }
    if (r->last_sr_at) {
        rt_time since = now - r->last_sr_at;
        out->last_sr = r->last_sr;
        out->delay = since <= 0                   ? 0
                     : since >= RT_SECONDS(65535) ? UINT32_MAX
                                                  : (uint32_t)(since * 65536 / RT_SECONDS(1));
    }
    return true;
}
