#include "proto/bandwidth.h"

#include <stdlib.h>

#include "base/seq.h"
#include "base/prefetch.h"
#include "proto/bandwidth_internal.h"

#define MIN_DEFAULT 30000
#define START_DEFAULT 300000
#define HIGHEST 100000000000 /* bit/s; nobody's path, and far from what a number takes */
#define PROBE_HIGHEST 5e6    /* bit/s, without a limit; from there media itself must show it */
#define PACING 2.5
#define SENT_FIRST 512 /* packets */
#define SENT_MAX 16384
#define SENT_OLD RT_SECONDS(2) /* feedback on older ones is not waited for */
#define SILENCE RT_SECONDS(1)  /* without feedback on what is sent: something is wrong */
#define SILENCE_CUT 0.8
#define QUEUE_PERIOD RT_SECONDS(15)
#define QUEUE_STANDS RT_MS(300) /* more than feedback may wait by itself */
#define QUEUE_DRAINED RT_MS(80)
#define DRAIN 0.7
#define REFERENCE_START ((int64_t)1 << 30) /* keeps arrival times positive */
#define REFERENCE_END ((int64_t)1 << 36)   /* a century; who gets there jumps, and arrival times would overflow */

void rt_bandwidth_config_default(rt_bandwidth_config *config)
{
    *config = (rt_bandwidth_config){.min = MIN_DEFAULT, .start = START_DEFAULT};
}

static uint64_t sane(uint64_t rate)
{
    return rate < HIGHEST ? rate : HIGHEST;
}

static uint64_t clamp(const rt_bandwidth *bandwidth, uint64_t rate)
{
    if (bandwidth->limits.max && rate > bandwidth->limits.max)
        rate = bandwidth->limits.max;
    return rate < bandwidth->limits.min ? bandwidth->limits.min : rate;
}

rt_bandwidth *rt_bandwidth_new(const rt_bandwidth_config *config, rt_time now)
{
    rt_bandwidth *bandwidth = calloc(1, sizeof *bandwidth);
    if (!bandwidth)
        return NULL;
    bandwidth->limits = (rt_bandwidth_config){sane(config->min), sane(config->start), sane(config->max)};
    bandwidth->estimate = rt_estimate_new(bandwidth->limits.min, bandwidth->limits.start, bandwidth->limits.max);
    if (!bandwidth->estimate) {
        rt_bandwidth_free(bandwidth);
        return NULL;
    }
    bandwidth->reference = REFERENCE_START;
    bandwidth->loss.evaluated = now;
    rt_probe_init(&bandwidth->probe);
    rt_bandwidth_update(bandwidth);
    return bandwidth;
}

void rt_bandwidth_free(rt_bandwidth *bandwidth)
{
    if (!bandwidth)
        return;
    rt_estimate_free(bandwidth->estimate);
    free(bandwidth->sent);
    free(bandwidth->scratch);
    free(bandwidth);
}

void rt_bandwidth_set_limits(rt_bandwidth *bandwidth, uint64_t min, uint64_t start, uint64_t max, rt_time now)
{
    (void)now;
    min = sane(min), start = sane(start), max = sane(max);
    bool higher = bandwidth->limits.max && (!max || max > bandwidth->limits.max);
    bandwidth->limits.max = max;
    if (min)
        bandwidth->limits.min = min;
    rt_estimate_set_limits(bandwidth->estimate, bandwidth->limits.min, max);
    if (start) {
        bandwidth->limits.start = start;
        bandwidth->loss.rate = 0;
        rt_estimate_set_bitrate(bandwidth->estimate, start);
        rt_probe_init(&bandwidth->probe);
    } else if (higher && bandwidth->stats.feedback) {
        rt_probe_wish(&bandwidth->probe, 2.0 * (double)bandwidth->stats.target);
    }
    rt_bandwidth_update(bandwidth);
}

/* ---- what was sent ---- */

/* Room with the first packet, and twice as much while feedback is late on more packets than there is room for. */
static void grow(rt_bandwidth *bandwidth)
{
    uint32_t capacity = bandwidth->capacity ? bandwidth->capacity * 2 : SENT_FIRST;
    rt_sent_packet *sent = calloc(capacity, sizeof *sent);
    if (!sent)
        return;
    for (uint32_t i = 0; i < bandwidth->capacity; i++)
        sent[bandwidth->sent[i].sequence & (capacity - 1)] = bandwidth->sent[i];
    free(bandwidth->sent);
    bandwidth->sent = sent;
    bandwidth->capacity = capacity;
}

static rt_sent_packet *slot_of(const rt_bandwidth *bandwidth, uint16_t sequence)
{
    return &bandwidth->sent[sequence & (bandwidth->capacity - 1)];
}

void rt_bandwidth_sent(rt_bandwidth *bandwidth, uint16_t transport_sequence, size_t size, bool probe, rt_time now)
{
    if (!bandwidth->sent)
        grow(bandwidth);
    if (!bandwidth->sent)
        return; /* no memory: as if its feedback were lost */
    rt_sent_packet *packet = slot_of(bandwidth, transport_sequence);
    if (packet->state == RT_SENT_FLYING && bandwidth->stats.feedback && now - packet->at < SENT_OLD &&
        bandwidth->capacity < SENT_MAX) {
        grow(bandwidth);
        packet = slot_of(bandwidth, transport_sequence);
    }
    *packet = (rt_sent_packet){
        .at = now,
        .size = (uint32_t)size,
        .sequence = transport_sequence,
        .state = RT_SENT_FLYING,
        .cluster = probe ? bandwidth->probe.cluster : 0,
    };
    rt_incoming_add(&bandwidth->outgoing, now, size);
    if (bandwidth->stats.feedback && !bandwidth->silent_since)
        bandwidth->silent_since = now;
}

void rt_bandwidth_prefetch(const rt_bandwidth *bandwidth, uint16_t transport_sequence, bool feedback, int step)
{
    if (step == 0 && feedback) {
        rt_prefetch(bandwidth, sizeof *bandwidth);
    } else if (step == 0) {
        RT_PREFETCH_FROM(bandwidth, rt_bandwidth, sent, outgoing);
        RT_PREFETCH_FROM(bandwidth, rt_bandwidth, probe.cluster, probe.taken);
        RT_PREFETCH_FROM(bandwidth, rt_bandwidth, stats.feedback, stats.feedback);
    } else if (bandwidth->sent) {
        uint16_t first = feedback ? (uint16_t)(transport_sequence - 2 * RT_PREFETCHED) : transport_sequence;
        rt_prefetch(slot_of(bandwidth, first), (feedback ? 2 : 1) * RT_PREFETCHED * sizeof *bandwidth->sent);
    }
    if (step == 1 && feedback) {
        rt_estimate_prefetch(bandwidth->estimate);
        rt_prefetch(bandwidth->scratch, 2 * RT_PREFETCHED * sizeof *bandwidth->scratch);
    }
}

/* ---- feedback ---- */

static void update_round_trip(rt_bandwidth *bandwidth, rt_time round_trip)
{
    bandwidth->stats.round_trip = round_trip;
    rt_estimate_set_round_trip(bandwidth->estimate, round_trip);
}

/* A queue that stands does not grow, so the trend does not see it: it is drained by sending less for a while. */
static void watch_queue(rt_bandwidth *bandwidth, rt_time round_trip, rt_time now)
{
    if (!bandwidth->queue.begun || now - bandwidth->queue.begun > QUEUE_PERIOD) {
        bandwidth->queue.before = bandwidth->queue.begun ? bandwidth->queue.shortest : round_trip;
        bandwidth->queue.shortest = round_trip;
        bandwidth->queue.begun = now;
    }
    bandwidth->queue.shortest = rt_time_min(bandwidth->queue.shortest, round_trip);
    rt_time waits = round_trip - rt_time_min(bandwidth->queue.shortest, bandwidth->queue.before);
    bandwidth->queue.draining = waits > (bandwidth->queue.draining ? QUEUE_DRAINED : QUEUE_STANDS);
}

/* Room for the packets of one feedback: no more than we can have in flight. */
static rt_twcc_packet *scratch_for(rt_bandwidth *bandwidth, uint32_t count)
{
    if (count > bandwidth->capacity)
        return NULL;
    if (bandwidth->scratch_capacity < bandwidth->capacity) {
        rt_twcc_packet *scratch = realloc(bandwidth->scratch, bandwidth->capacity * sizeof *scratch);
        if (!scratch)
            return NULL;
        bandwidth->scratch = scratch;
        bandwidth->scratch_capacity = bandwidth->capacity;
    }
    return bandwidth->scratch;
}

static void packet_arrived(rt_bandwidth *bandwidth, rt_sent_packet *packet, rt_time arrived, rt_time now)
{
    if (packet->state == RT_SENT_LOST) { /* late, not lost */
        bandwidth->stats.packets_lost--;
        if (bandwidth->loss.lost)
            bandwidth->loss.lost--;
    } else {
        bandwidth->loss.total++;
    }
    packet->state = RT_SENT_NONE;
    rt_estimate_packet(bandwidth->estimate, packet->at, arrived, packet->size, now);
    if (packet->cluster && packet->cluster == bandwidth->probe.cluster)
        rt_probe_arrived(&bandwidth->probe, packet->at, arrived, packet->size);
    bandwidth->newest = rt_time_max(bandwidth->newest, packet->at);
}

static void packet_lost(rt_bandwidth *bandwidth, rt_sent_packet *packet)
{
    packet->state = RT_SENT_LOST;
    bandwidth->stats.packets_lost++;
    bandwidth->loss.lost++;
    bandwidth->loss.total++;
}

rt_status rt_bandwidth_twcc(rt_bandwidth *bandwidth, const rt_rtcp_twcc *feedback, rt_time now)
{
    rt_twcc_packet *packets = scratch_for(bandwidth, feedback->count);
    if (!packets || rt_rtcp_twcc_packets(feedback, packets) != RT_OK) {
        bandwidth->stats.feedback_malformed++;
        return RT_MALFORMED;
    }
    /* 24 bits of reference time, unwrapped. */
    int32_t ahead = (int32_t)(((uint32_t)feedback->reference - (uint32_t)bandwidth->reference) << 8) >> 8;
    bandwidth->reference += ahead;
    if (bandwidth->reference < 0 || bandwidth->reference > REFERENCE_END)
        bandwidth->reference = REFERENCE_START + (feedback->reference & 0xFFFFFF);
    rt_time arrived = bandwidth->reference * RT_MS(64);
    uint64_t known = 0, before = rt_bandwidth_base(bandwidth);
    bandwidth->newest = INT64_MIN;
    for (uint32_t i = 0; i < feedback->count; i++) {
        if (packets[i].received)
            arrived += packets[i].delta * RT_US(250);
        rt_sent_packet *packet = slot_of(bandwidth, packets[i].sequence);
        if (packet->sequence != packets[i].sequence || packet->state == RT_SENT_NONE)
            continue;
        known++;
        if (packets[i].received)
            packet_arrived(bandwidth, packet, arrived, now);
        else if (packet->state == RT_SENT_FLYING)
            packet_lost(bandwidth, packet);
    }
    bandwidth->stats.feedback++;
    if (!known)
        return RT_OK;
    bandwidth->silent_since = 0;
    bandwidth->last_feedback = now;
    if (bandwidth->newest != INT64_MIN) {
        update_round_trip(bandwidth, now - bandwidth->newest);
        watch_queue(bandwidth, now - bandwidth->newest, now);
    }
    rt_probe_fell(&bandwidth->probe, (double)before, (double)rt_bandwidth_base(bandwidth), now);
    double found = rt_probe_result(&bandwidth->probe);
    if (found > (double)bandwidth->stats.target)
        bandwidth->loss.rate = 0; /* it has arrived, nearly all of it */
    if (found > (double)rt_bandwidth_base(bandwidth))
        rt_estimate_set_bitrate(bandwidth->estimate, (uint64_t)found);
    rt_bandwidth_evaluate_loss(bandwidth, now);
    rt_bandwidth_update(bandwidth);
    return RT_OK;
}

void rt_bandwidth_remb(rt_bandwidth *bandwidth, uint64_t bitrate, rt_time now)
{
    (void)now;
    bandwidth->stats.remb = bitrate ? sane(bitrate) : 1; /* 0 says "not known" in the statistics */
    rt_bandwidth_update(bandwidth);
}

void rt_bandwidth_report(rt_bandwidth *bandwidth, uint8_t fraction, rt_time round_trip, rt_time now)
{
    /* Transport-wide feedback tells both better. */
    if (bandwidth->stats.feedback)
        return;
    if (round_trip > 0)
        update_round_trip(bandwidth, round_trip);
    rt_bandwidth_apply_loss(bandwidth, fraction / 256.0, now);
    rt_bandwidth_update(bandwidth);
}

/* ---- the target ---- */

uint64_t rt_bandwidth_base(const rt_bandwidth *bandwidth)
{
    uint64_t estimated = bandwidth->stats.feedback ? rt_estimate_bitrate(bandwidth->estimate) : 0;
    if (estimated)
        return estimated;
    if (bandwidth->stats.remb && !bandwidth->stats.feedback)
        return bandwidth->stats.remb;
    return bandwidth->limits.start;
}

void rt_bandwidth_update(rt_bandwidth *bandwidth)
{
    uint64_t target = rt_bandwidth_base(bandwidth);
    if (bandwidth->queue.draining)
        target = (uint64_t)(DRAIN * (double)target);
    bool alone = !bandwidth->stats.feedback && !bandwidth->stats.remb;
    if (bandwidth->loss.rate > 0 && (alone || bandwidth->loss.rate < (double)target))
        target = (uint64_t)bandwidth->loss.rate;
    if (bandwidth->stats.remb && target > bandwidth->stats.remb)
        target = bandwidth->stats.remb;
    bandwidth->stats.target = clamp(bandwidth, target);
}

void rt_bandwidth_want(rt_bandwidth *bandwidth, uint64_t bitrate, rt_time now)
{
    rt_probe_want(&bandwidth->probe, (double)sane(bitrate), now);
}

uint64_t rt_bandwidth_target(const rt_bandwidth *bandwidth)
{
    return bandwidth->stats.target;
}

uint64_t rt_bandwidth_pacing_rate(const rt_bandwidth *bandwidth)
{
    double rate = PACING * (double)bandwidth->stats.target;
    if (bandwidth->probe.cluster && bandwidth->probe.rate > rate)
        rate = bandwidth->probe.rate;
    return (uint64_t)rate;
}

size_t rt_bandwidth_probe(rt_bandwidth *bandwidth, uint64_t *rate, rt_time now)
{
    /* Before the first feedback nobody would tell how it went. */
    if (!bandwidth->stats.feedback || bandwidth->queue.draining)
        return 0;
    double ceiling = bandwidth->limits.max ? (double)bandwidth->limits.max : PROBE_HIGHEST;
    if (bandwidth->stats.remb && (double)bandwidth->stats.remb < ceiling)
        ceiling = (double)bandwidth->stats.remb;
    size_t bytes = rt_probe_take(&bandwidth->probe, (double)bandwidth->limits.start, (double)bandwidth->stats.target,
                                 ceiling, now);
    if (!bytes)
        return 0;
    bandwidth->stats.probes++;
    *rate = (uint64_t)bandwidth->probe.rate;
    return bytes;
}

rt_time rt_bandwidth_deadline(const rt_bandwidth *bandwidth)
{
    rt_time silence = bandwidth->silent_since ? bandwidth->silent_since + SILENCE : RT_NEVER;
    return rt_time_min(silence, rt_probe_deadline(&bandwidth->probe));
}

void rt_bandwidth_expire(rt_bandwidth *bandwidth, rt_time now)
{
    rt_probe_expire(&bandwidth->probe, now);
    if (bandwidth->silent_since && now >= bandwidth->silent_since + SILENCE) {
        /* What leaves meets no answer any more: less of it, again and again while it stays so. */
        rt_estimate_set_bitrate(bandwidth->estimate, (uint64_t)(SILENCE_CUT * (double)rt_bandwidth_base(bandwidth)));
        bandwidth->silent_since = 0;
        rt_bandwidth_update(bandwidth);
    }
}

void rt_bandwidth_get_stats(const rt_bandwidth *bandwidth, rt_bandwidth_stats *out)
{
    *out = bandwidth->stats;
    out->delay_based = bandwidth->stats.feedback ? rt_estimate_bitrate(bandwidth->estimate) : 0;
    out->loss_based = (uint64_t)bandwidth->loss.rate;
    out->state = rt_estimate_state(bandwidth->estimate);
    out->acknowledged =
        bandwidth->stats.feedback ? rt_estimate_received(bandwidth->estimate, bandwidth->last_feedback) : 0;
}
