/* Probes: at the start with 3 and 6 times the start rate, then twice what was found as long as the path takes it; and
 * some time after the target has fallen, with most of what it was. */
#include "proto/bandwidth_internal.h"

#define LENGTH 0.020 /* seconds */
#define BYTES_LEAST 4000
#define BYTES_MOST 250000
#define PACKETS_LEAST 4
#define ARRIVED_LEAST 0.8 /* of the bytes */
#define FAITHFUL 0.9      /* arrived so fast as sent: the path took it */
#define UTILIZATION 0.95  /* of a path that a probe has filled */
#define GO_ON 0.7         /* of the probe's rate */
#define PATIENCE RT_SECONDS(1)
#define TRY_AFTER RT_SECONDS(5)
#define TRY_UNTIL RT_SECONDS(20)
#define TRY_PART 0.85
#define FALLEN 0.67
#define FIRST_STAGE 3.0
#define SECOND_STAGE 6.0

void rt_probe_init(rt_probe *probe)
{
    *probe = (rt_probe){.wish = -FIRST_STAGE, .last_cluster = probe->last_cluster};
}

void rt_probe_wish(rt_probe *probe, double rate)
{
    probe->wish = rate;
}

void rt_probe_want(rt_probe *probe, double rate, rt_time now)
{
    if (rate > 0 && probe->wanted == 0) {
        probe->want_at = rt_time_max(now, probe->want_at);
        probe->want_after = TRY_AFTER;
    }
    probe->wanted = rate;
}

void rt_probe_fell(rt_probe *probe, double from, double to, rt_time now)
{
    if (to >= FALLEN * from)
        return;
    if (probe->lost_rate < from)
        probe->lost_rate = from;
    probe->try_after = TRY_AFTER;
    probe->try_at = now + TRY_AFTER;
}

/* Whether it is time to try the rate of before the fall. */
static void try_again(rt_probe *probe, double target, rt_time now)
{
    if (probe->lost_rate == 0 || probe->wish != 0 || now < probe->try_at)
        return;
    if (target < FALLEN * probe->lost_rate)
        probe->wish = TRY_PART * probe->lost_rate;
    probe->try_after *= 2;
    probe->try_at = now + probe->try_after;
    if (probe->wish == 0 || probe->try_after > TRY_UNTIL)
        probe->lost_rate = 0;
}

static void try_wanted(rt_probe *probe, rt_time now)
{
    if (probe->wanted == 0 || probe->wish != 0 || now < probe->want_at)
        return;
    probe->wish = probe->wanted;
    probe->want_at = now + probe->want_after;
    probe->want_after = rt_time_min(2 * probe->want_after, TRY_UNTIL);
}

size_t rt_probe_take(rt_probe *probe, double start, double target, double ceiling, rt_time now)
{
    if (probe->cluster)
        return 0;
    try_again(probe, target, now);
    try_wanted(probe, now);
    if (probe->wish == 0)
        return 0;
    double rate = probe->wish < 0 ? -probe->wish * start : probe->wish;
    if (rate > ceiling)
        rate = ceiling;
    probe->wish = 0;
    if (rate <= target * 1.05)
        return 0;
    probe->cluster = ++probe->last_cluster ? probe->last_cluster : ++probe->last_cluster;
    probe->rate = rate;
    probe->bytes = (size_t)(rate * LENGTH / 8);
    if (probe->bytes < BYTES_LEAST)
        probe->bytes = BYTES_LEAST;
    if (probe->bytes > BYTES_MOST)
        probe->bytes = BYTES_MOST;
    probe->taken = now;
    probe->count = 0;
    probe->arrived_bytes = 0;
    return probe->bytes;
}

void rt_probe_arrived(rt_probe *probe, rt_time sent, rt_time arrived, uint32_t size)
{
    if (!probe->count || sent < probe->first_sent)
        probe->first_sent = sent;
    if (!probe->count || sent >= probe->last_sent) {
        probe->last_sent = sent;
        probe->last_sent_size = size;
    }
    if (!probe->count || arrived < probe->first_arrived) {
        probe->first_arrived = arrived;
        probe->first_arrived_size = size;
    }
    if (!probe->count || arrived > probe->last_arrived)
        probe->last_arrived = arrived;
    probe->arrived_bytes += size;
    probe->count++;
}

static double rate_over(size_t bytes, rt_time elapsed)
{
    /* A burst without pauses is as fast as one can ask for. */
    return elapsed > 0 ? (double)bytes * 8e9 / (double)elapsed : 1e12;
}

double rt_probe_result(rt_probe *probe)
{
    if (!probe->cluster || probe->count < PACKETS_LEAST ||
        (double)probe->arrived_bytes < ARRIVED_LEAST * (double)probe->bytes)
        return 0;
    double sent = rate_over(probe->arrived_bytes - probe->last_sent_size, probe->last_sent - probe->first_sent);
    double arrived =
        rate_over(probe->arrived_bytes - probe->first_arrived_size, probe->last_arrived - probe->first_arrived);
    double found = sent < arrived ? sent : arrived;
    if (arrived < FAITHFUL * sent)
        found = UTILIZATION * arrived;
    if (found > probe->rate)
        found = probe->rate;
    probe->cluster = 0;
    if (found > GO_ON * probe->rate)
        probe->wish = probe->stage++ == 0 ? -SECOND_STAGE : 2 * found;
    return found;
}

rt_time rt_probe_deadline(const rt_probe *probe)
{
    return probe->cluster ? probe->taken + PATIENCE : RT_NEVER;
}

void rt_probe_expire(rt_probe *probe, rt_time now)
{
    if (probe->cluster && now >= probe->taken + PATIENCE)
        probe->cluster = 0;
}
