#include "proto/receiver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/receiver_internal.h"

enum {
    RED_BLOCKS = 32,
    NACK_BATCH = 256,
};

#define ROUND_TRIP_UNKNOWN RT_MS(100)
#define REORDERING RT_MS(20)     /* what a hole is waited for if nobody can be asked */
#define PATIENCE_LEAST RT_MS(60) /* ... and if somebody can */
#define PATIENCE_MOST RT_SECONDS(1)
#define KEY_PAUSE RT_MS(300)
#define KEY_PAUSE_MOST RT_SECONDS(3)

void rt_receiver_config_default(rt_receiver_config *config)
{
    *config = (rt_receiver_config){.max_delay = RT_SECONDS(2), .max_packets = 2048};
}

static void take_formats(rt_receiver *r, const rt_receiver_format *formats, size_t count)
{
    memset(r->formats, 0, sizeof r->formats);
    for (size_t i = 0; i < count; i++)
        if (rt_codec_is_video(formats[i].payload.codec) == r->config.video)
            r->formats[formats[i].payload_type & 127] = formats[i];
}

static const rt_receiver_format *format_of(const rt_receiver *r, uint8_t payload_type)
{
    const rt_receiver_format *format = &r->formats[payload_type & 127];
    return format->payload.codec == RT_CODEC_NONE ? NULL : format;
}

rt_receiver *rt_receiver_new(const rt_receiver_config *config)
{
    rt_receiver *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->config = *config;
    rt_nack_init(&r->nack);
    rt_jitter_config jitter;
    rt_jitter_config_default(&jitter);
    jitter.video = config->video;
    jitter.passthrough = config->passthrough;
    jitter.min_delay = config->min_delay;
    jitter.max_delay = config->max_delay;
    if (config->max_packets)
        jitter.max_packets = config->max_packets;
    r->jitter = rt_jitter_new(&jitter);
    if (!r->jitter) {
        rt_receiver_free(r);
        return NULL;
    }
    r->config.formats = NULL;
    take_formats(r, config->formats, config->format_count);
    r->stats.ssrc = config->ssrc;
    r->stats.audio_level = RT_FRAME_NO_LEVEL;
    rt_receiver_set_round_trip(r, ROUND_TRIP_UNKNOWN);
    return r;
}

void rt_receiver_free(rt_receiver *r)
{
    if (!r)
        return;
    rt_nack_free(&r->nack);
    rt_jitter_free(r->jitter);
    free(r);
}

/* ---- packets ---- */

/* A hole is worth the time that a retransmission needs, asked for twice. */
static void set_patience(rt_receiver *r)
{
    rt_time wait = r->round_trip * 5 / 2 + RT_MS(30);
    wait = rt_time_min(rt_time_max(wait, PATIENCE_LEAST), PATIENCE_MOST);
    rt_jitter_set_patience(r->jitter, r->asks ? wait : REORDERING);
}

static void count_packet(rt_receiver *r, const rt_rtp *packet, const rt_rtp_values *values, bool recovered, rt_time now)
{
    rt_receiver_stats *s = &r->stats;
    size_t header = RT_RTP_HEADER + packet->csrcs.size + packet->padding;
    if (packet->profile)
        header += 4 + packet->extensions.size;
    s->payload_type = packet->payload_type;
    s->packets++;
    s->bytes += packet->payload.size;
    s->header_bytes += header;
    if (recovered) {
        s->packets_recovered++;
        s->bytes_recovered += packet->payload.size;
    }
    s->last_packet = now;
    if (values && RT_RTP_HAS(values, RT_RTP_AUDIO_LEVEL))
        s->audio_level = values->audio_level;
}

static void use_format(rt_receiver *r, const rt_receiver_format *format, uint64_t sequence)
{
    r->left = false;
    if (r->format == format)
        return;
    r->format = format;
    r->clock_rate = format->payload.clock_rate;
    if (r->asks != format->nack) {
        r->asks = format->nack;
        rt_nack_restart(&r->nack, sequence);
        set_patience(r);
    }
}

/* RED (RFC 2198): the primary block is the packet; the others are copies of those before it, the newest last. */
static rt_status add_red(rt_receiver *r, rt_jitter_packet *packet, rt_time now)
{
    rt_red_block blocks[RED_BLOCKS];
    size_t count = rt_red_read(packet->payload, blocks, RED_BLOCKS);
    rt_payload_info info;
    rt_status status = RT_MALFORMED;
    uint32_t timestamp = packet->timestamp;
    uint64_t sequence = packet->sequence;
    for (size_t i = count; i-- > 0;) {
        const rt_red_block *block = &blocks[i];
        const rt_receiver_format *format = format_of(r, block->payload_type);
        bool primary = i == count - 1;
        bool good = format && format->payload.codec != RT_CODEC_RED &&
                    rt_payload_inspect(&format->payload, block->data, packet->marker && primary, &info) == RT_OK;
        if (primary) {
            if (!good)
                return RT_MALFORMED;
        } else if (!good || count - 1 - i >= sequence) {
            continue;
        }
        packet->sequence = sequence - (count - 1 - i);
        packet->timestamp = timestamp - block->timestamp_offset;
        packet->payload_type = block->payload_type;
        packet->format = &format->payload;
        packet->info = &info;
        packet->payload = block->data;
        if (primary) {
            status = rt_jitter_add(r->jitter, packet, now);
            packet->marker = false;
            packet->values = NULL;
        } else {
            (void)rt_jitter_add_redundant(r->jitter, packet, now); /* counts what it has no use for */
        }
    }
    return status;
}

static rt_status add(rt_receiver *r, const rt_receiver_format *format, rt_jitter_packet *packet, rt_time now)
{
    rt_payload_info info;
    packet->format = &format->payload;
    if (packet->payload.size == 0)
        return rt_jitter_add(r->jitter, packet, now);
    if (format->payload.codec == RT_CODEC_RED)
        return add_red(r, packet, now);
    if (rt_payload_inspect(&format->payload, packet->payload, packet->marker, &info) != RT_OK)
        return RT_MALFORMED;
    packet->info = &info;
    return rt_jitter_add(r->jitter, packet, now);
}

rt_status rt_receiver_receive(rt_receiver *r, const rt_rtp *rtp, const rt_rtp_values *values, bool recovered,
                              rt_time now)
{
    const rt_receiver_format *format = format_of(r, rtp->payload_type);
    if (!format) {
        r->stats.unknown_payload_types++;
        return RT_NOT_FOUND;
    }
    rt_jitter_packet packet = {.timestamp = rtp->timestamp,
                               .payload_type = rtp->payload_type,
                               .marker = rtp->marker,
                               .recovered = recovered,
                               .values = values,
                               .payload = rtp->payload};
    switch (rt_reception_sequence(&r->reception, rtp->sequence, recovered, &packet.sequence)) {
    case RT_ARRIVAL_JUMP: r->stats.packets_discarded++; return RT_UNEXPECTED;
    case RT_ARRIVAL_DUPLICATE: r->stats.packets_duplicate++; return RT_REPLAYED;
    case RT_ARRIVAL_RESTART:
        r->stats.jumps++;
        rt_jitter_restart(r->jitter, packet.sequence, now);
        rt_nack_restart(&r->nack, packet.sequence);
        break;
    case RT_ARRIVAL_NEW: break;
    }
    uint64_t sequence = packet.sequence;
    count_packet(r, rtp, values, recovered, now);
    use_format(r, format, sequence);
    if (!recovered)
        rt_reception_time(&r->reception, sequence, rtp->timestamp, r->clock_rate, now);
    rt_status status = add(r, format, &packet, now);
    if (status == RT_MALFORMED)
        r->stats.packets_malformed++;
    if (status == RT_UNEXPECTED && sequence >= rt_jitter_head(r->jitter))
        rt_reception_forget(&r->reception, sequence); /* its timestamp is on probation: it may be asked for again */
    else if (r->asks)
        rt_nack_arrived(&r->nack, sequence, recovered, now);
    return status;
}

/* ---- frames ---- */

/* Where the sender does not tell when it captured, its reports map the timestamp to its clock. */
static void set_captured(const rt_receiver *r, rt_frame *frame)
{
    if (frame->captured || !r->report.sender || !r->clock_rate)
        return;
    int32_t units = (int32_t)((uint32_t)frame->timestamp - r->report.rtp_time);
    frame->captured = r->report.ntp + (uint64_t)(int64_t)((double)units / r->clock_rate * 4294967296.0);
}

rt_frame *rt_receiver_frame(rt_receiver *r, rt_time now)
{
    rt_frame *frame = rt_jitter_pop(r->jitter, now);
    if (!frame)
        return NULL;
    frame->ssrc = r->config.ssrc;
    set_captured(r, frame);
    if (r->config.video && frame->flags & RT_FRAME_KEY)
        r->key_wanted = r->key_pending = false;
    if (frame->audio_level != RT_FRAME_NO_LEVEL && r->clock_rate) { /* RFC 6464: 0 dBov is full scale, energy 1 */
        double seconds = (double)frame->duration / r->clock_rate;
        r->stats.total_audio_energy += pow(10, frame->audio_level / 10.0) * seconds;
    }
    return frame;
}

void rt_receiver_bye(rt_receiver *r)
{
    r->left = true;
    rt_nack_forget(&r->nack, UINT64_MAX);
}

/* ---- feedback ---- */

size_t rt_receiver_nack(rt_receiver *r, uint16_t *out, size_t max, rt_time now)
{
    if (!r->asks || now < rt_nack_deadline(&r->nack))
        return 0;
    rt_nack_forget(&r->nack, rt_jitter_head(r->jitter));
    uint64_t due[NACK_BATCH];
    size_t count = rt_nack_due(&r->nack, due, max < NACK_BATCH ? max : NACK_BATCH, now);
    for (size_t i = 0; i < count; i++)
        out[i] = (uint16_t)due[i];
    r->stats.nacks += count > 0;
    r->stats.nack_packets += count;
    return count;
}

static bool key_needed(const rt_receiver *r)
{
    return r->format && (r->format->pli || r->format->fir) && !r->left &&
           (r->key_wanted || rt_jitter_key_frame_needed(r->jitter));
}

static rt_time key_due(const rt_receiver *r)
{
    return r->key_pause ? r->key_asked + r->key_pause : INT64_MIN;
}

bool rt_receiver_key_frame_needed(rt_receiver *r, rt_time now)
{
    if (!key_needed(r) || now < key_due(r))
        return false;
    rt_time least = rt_time_max(KEY_PAUSE, r->round_trip);
    r->key_pause = r->key_pending ? rt_time_max(rt_time_min(2 * r->key_pause, KEY_PAUSE_MOST), least) : least;
    r->key_pending = true;
    r->key_asked = now;
    if (r->format->pli)
        r->stats.plis++;
    else
        r->stats.firs++;
    return true;
}

void rt_receiver_request_key_frame(rt_receiver *r)
{
    r->key_wanted = r->config.video;
}

rt_time rt_receiver_deadline(const rt_receiver *r)
{
    rt_time deadline = rt_jitter_deadline(r->jitter);
    if (r->asks)
        deadline = rt_time_min(deadline, rt_nack_deadline(&r->nack));
    if (key_needed(r))
        deadline = rt_time_min(deadline, key_due(r));
    return deadline;
}

void rt_receiver_expire(rt_receiver *r, rt_time now)
{
    if (now >= rt_nack_deadline(&r->nack)) /* what is played or given up need not be asked for */
        rt_nack_forget(&r->nack, rt_jitter_head(r->jitter));
}

void rt_receiver_set_round_trip(rt_receiver *r, rt_time round_trip)
{
    r->round_trip = rt_time_max(round_trip, 0);
    rt_nack_set_round_trip(&r->nack, r->round_trip);
    set_patience(r);
}

void rt_receiver_set_formats(rt_receiver *r, const rt_receiver_format *formats, size_t format_count)
{
    take_formats(r, formats, format_count);
    r->format = NULL; /* the next packet tells */
}

void rt_receiver_set_delay(rt_receiver *r, rt_time min_delay, rt_time max_delay)
{
    rt_jitter_set_delay(r->jitter, min_delay, max_delay);
}
