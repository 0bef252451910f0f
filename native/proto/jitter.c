#include "proto/jitter.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/jitter_internal.h"

enum { SLOTS_FIRST = 32 };

#define JUMP RT_SECONDS(5) /* timestamps that leave the clock by more have jumped */
#define PATIENCE RT_MS(100)

void rt_jitter_config_default(rt_jitter_config *config)
{
    *config = (rt_jitter_config){.max_delay = RT_SECONDS(2), .max_packets = 2048};
}

rt_jitter *rt_jitter_new(const rt_jitter_config *config)
{
    rt_jitter *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->config = *config;
    j->limit = SLOTS_FIRST;
    while (j->limit < config->max_packets && j->limit < 65536)
        j->limit *= 2;
    j->patience = PATIENCE;
    j->deadline = RT_NEVER;
    j->ready_end = &j->ready;
    rt_jitter_set_delay(j, config->min_delay, config->max_delay);
    return j;
}

static void clear(rt_jitter *j, rt_jitter_slot *slot)
{
    if (slot->kind == RT_JITTER_EMPTY)
        return;
    if (slot->kind == RT_JITTER_PAYLOAD)
        rt_jitter_pool_give(&j->pool, slot->data, slot->size);
    else if (slot->kind == RT_JITTER_FRAME)
        rt_frame_unref(slot->frame);
    slot->kind = RT_JITTER_EMPTY;
    j->count--;
}

void rt_jitter_free(rt_jitter *j)
{
    if (!j)
        return;
    for (uint64_t i = 0; i < j->capacity; i++)
        clear(j, &j->slots[i]);
    while (j->ready) {
        rt_frame *frame = j->ready;
        j->ready = frame->next;
        rt_frame_unref(frame);
    }
    rt_jitter_pool_free(&j->pool);
    free(j->slots);
    free(j->spans);
    free(j);
}

void rt_jitter_set_delay(rt_jitter *j, rt_time min_delay, rt_time max_delay)
{
    j->config.min_delay = rt_time_max(min_delay, 0);
    j->config.max_delay = rt_time_max(max_delay, j->config.min_delay);
}

void rt_jitter_set_patience(rt_jitter *j, rt_time patience)
{
    j->patience = rt_time_max(patience, 0);
}

void rt_jitter_advance(rt_jitter *j, uint64_t head)
{
    assert(head >= j->head);
    for (uint64_t i = j->head; i < head && i < j->end && j->count; i++)
        clear(j, rt_jitter_at(j, i));
    j->head = head;
    if (j->end < head)
        j->end = head;
    j->popped = true;
}

static rt_time clamp_delay(const rt_jitter *j, rt_time delay)
{
    return rt_time_min(rt_time_max(delay, j->config.min_delay), j->config.max_delay);
}

void rt_jitter_measure(rt_jitter *j, rt_time transit, rt_time now)
{
    rt_jitter_delay_add(&j->delay, transit, now);
    j->minimum = rt_jitter_delay_target(&j->delay);
    j->target = rt_jitter_delay_fastest(&j->delay) + clamp_delay(j, j->minimum);
}

/* ---- timestamps ---- */

static void begin_timeline(rt_jitter *j, const rt_jitter_packet *packet, int64_t at, rt_time now)
{
    rt_jitter_timeline *t = &j->timeline;
    uint32_t rate = packet->format->clock_rate ? packet->format->clock_rate : 90000;
    *t = (rt_jitter_timeline){.started = true,
                              .clock_rate = rate,
                              .ns_per_unit = 1e9 / rate,
                              .wire = packet->timestamp,
                              .last = at,
                              .arrived = now};
    j->delay = (rt_jitter_delay){0};
    j->audio.playing = false;
}

/* Another clock, or a timestamp that has nothing to do with the time gone by: the second of its kind in a row sets
 * the time line anew, so that it goes on where it would be by now. */
static bool jump(rt_jitter *j, const rt_jitter_packet *packet, rt_time now)
{
    rt_jitter_timeline *t = &j->timeline;
    int32_t from_suspect = (int32_t)(packet->timestamp - t->suspect);
    int64_t near = JUMP / RT_SECONDS(1) * (int64_t)t->clock_rate;
    if (!t->anew && (!t->suspicious || from_suspect > near || from_suspect < -near)) {
        t->suspicious = true;
        t->suspect = packet->timestamp;
        return false;
    }
    double elapsed = (double)rt_time_max(now - t->arrived, 0) * 1e-9;
    uint32_t rate = packet->format->clock_rate ? packet->format->clock_rate : 90000;
    begin_timeline(j, packet, t->last + (int64_t)(elapsed * rate), now);
    j->stats.timestamp_jumps++;
    return true;
}

static bool unwrap(rt_jitter *j, const rt_jitter_packet *packet, int64_t *timestamp, rt_time now)
{
    rt_jitter_timeline *t = &j->timeline;
    if (!t->started)
        begin_timeline(j, packet, packet->timestamp, now);
    int32_t step = (int32_t)(packet->timestamp - t->wire);
    rt_time drift = rt_jitter_ns(j, step) - (now - t->arrived);
    if (drift > JUMP || drift < -JUMP) {
        if (packet->recovered || !jump(j, packet, now))
            return false;
        step = 0;
    }
    *timestamp = t->last + step;
    if (step > 0) {
        t->wire = packet->timestamp;
        t->last = *timestamp;
        t->arrived = now;
    }
    if (!packet->recovered)
        t->suspicious = t->anew = false;
    return true;
}

/* ---- slots ---- */

static bool grow(rt_jitter *j, uint64_t need)
{
    uint64_t capacity = j->capacity ? j->capacity : SLOTS_FIRST;
    while (capacity < need)
        capacity *= 2;
    rt_jitter_slot *slots = calloc(capacity, sizeof *slots);
    rt_span *spans = malloc(capacity * sizeof *spans);
    if (!slots || !spans) {
        free(slots);
        free(spans);
        return false;
    }
    for (uint64_t i = j->head; i < j->end; i++)
        slots[i & (capacity - 1)] = *rt_jitter_at(j, i);
    free(j->slots);
    free(j->spans);
    j->slots = slots;
    j->spans = spans;
    j->capacity = capacity;
    return true;
}

/* Makes the window reach `sequence`; what falls out of it at the front is given up. */
static rt_status reach(rt_jitter *j, uint64_t sequence)
{
    if (j->end == 0 || (sequence < j->head && !j->popped && j->end - sequence <= j->limit)) {
        uint64_t end = j->end ? j->end : sequence;
        if (end - sequence >= j->capacity && !grow(j, end - sequence + 1))
            return RT_NO_MEMORY;
        j->head = sequence;
        j->end = end;
        rt_jitter_video_reset(j);
        j->video.aligned = false;
    }
    if (sequence < j->head)
        return RT_UNEXPECTED;
    while (sequence - j->head >= j->limit) {
        if (j->config.video && j->count)
            rt_jitter_video_give_up(j);
        else
            rt_jitter_advance(j, sequence - j->limit + 1);
    }
    if (sequence - j->head >= j->capacity && !grow(j, sequence - j->head + 1))
        return RT_NO_MEMORY;
    if (sequence >= j->end)
        j->end = sequence + 1;
    return RT_OK;
}

static void describe_slot(rt_jitter *j, rt_jitter_slot *slot, const rt_rtp_values *values)
{
    slot->audio_level = RT_FRAME_NO_LEVEL;
    slot->voice = false;
    slot->captured = 0;
    if (values && values->present) {
        if (RT_RTP_HAS(values, RT_RTP_VIDEO_ORIENTATION))
            j->rotation = values->orientation & 3;
        if (RT_RTP_HAS(values, RT_RTP_AUDIO_LEVEL)) {
            slot->audio_level = (int8_t)-(int8_t)(values->audio_level & 127);
            slot->voice = values->voice;
        }
        if (RT_RTP_HAS(values, RT_RTP_ABS_CAPTURE_TIME))
            slot->captured = values->capture_time;
    }
    slot->rotation = j->rotation;
}

/* Audio is made a frame at once: its one copy. */
static rt_frame *frame_of(const rt_jitter_packet *packet)
{
    rt_frame *frame = rt_frame_new(packet->payload.size);
    if (!frame)
        return NULL;
    memcpy(frame->data, packet->payload.data, packet->payload.size);
    frame->size = packet->payload.size;
    frame->codec = (uint8_t)packet->format->codec;
    frame->flags = RT_FRAME_KEY;
    frame->duration = packet->info->duration;
    frame->packets = 1;
    return frame;
}

static rt_status fill(rt_jitter *j, const rt_jitter_packet *packet, int64_t timestamp, rt_time now)
{
    rt_jitter_slot *slot = rt_jitter_at(j, packet->sequence);
    clear(j, slot); /* a redundant copy, if anything */
    if (!packet->info) {
        slot->kind = RT_JITTER_PADDING;
    } else if (j->config.video) {
        slot->data = rt_jitter_pool_take(&j->pool, packet->payload.size);
        if (!slot->data)
            return RT_NO_MEMORY;
        memcpy(slot->data, packet->payload.data, packet->payload.size);
        slot->kind = RT_JITTER_PAYLOAD;
    } else {
        slot->frame = frame_of(packet);
        if (!slot->frame)
            return RT_NO_MEMORY;
        slot->kind = RT_JITTER_FRAME;
    }
    j->count++;
    slot->payload_type = packet->payload_type;
    slot->marker = packet->marker;
    slot->recovered = packet->recovered;
    slot->redundant = false;
    slot->size = (uint32_t)packet->payload.size;
    slot->timestamp = timestamp;
    slot->arrived = now;
    slot->format = *packet->format;
    if (packet->info) {
        slot->info = *packet->info;
        describe_slot(j, slot, packet->values);
    }
    return RT_OK;
}

static bool is_timed(const rt_jitter_packet *packet)
{
    return packet->info && packet->format->codec != RT_CODEC_TELEPHONE_EVENT;
}

rt_status rt_jitter_add(rt_jitter *j, const rt_jitter_packet *packet, rt_time now)
{
    int64_t timestamp = j->timeline.last;
    if (is_timed(packet)) {
        if (j->timeline.started && packet->format->clock_rate != j->timeline.clock_rate)
            begin_timeline(j, packet, j->timeline.last, now);
        if (!unwrap(j, packet, &timestamp, now)) {
            j->stats.discarded++;
            return RT_UNEXPECTED;
        }
        if (!j->config.video)
            rt_jitter_measure(j, now - rt_jitter_ns(j, timestamp), now);
    }
    rt_jitter_slot *slot = rt_jitter_find(j, packet->sequence);
    if (slot && !slot->redundant) {
        j->stats.duplicates++;
        return RT_REPLAYED;
    }
    rt_status status = reach(j, packet->sequence);
    if (status == RT_OK)
        status = fill(j, packet, timestamp, now);
    if (status == RT_UNEXPECTED)
        j->stats.discarded++;
    if (status == RT_OK) {
        j->deadline = rt_time_min(j->deadline, now);
        j->video.searched = false;
    }
    return status;
}

bool rt_jitter_add_redundant(rt_jitter *j, const rt_jitter_packet *packet, rt_time now)
{
    assert(!j->config.video);
    j->stats.redundant++;
    uint64_t sequence = packet->sequence;
    rt_jitter_slot *after = rt_jitter_find(j, sequence + 1), *before = rt_jitter_find(j, sequence - 1);
    if (sequence < j->head || sequence >= j->end || rt_jitter_find(j, sequence) || !after) {
        j->stats.redundant_discarded++;
        return false;
    }
    int64_t timestamp = j->timeline.last + (int32_t)(packet->timestamp - j->timeline.wire);
    bool fits = timestamp < after->timestamp && (!before || timestamp > before->timestamp) &&
                (!j->audio.playing || timestamp >= j->audio.next);
    if (!fits || fill(j, packet, timestamp, now) != RT_OK) {
        j->stats.redundant_discarded++;
        return false;
    }
    rt_jitter_at(j, sequence)->redundant = true;
    j->deadline = rt_time_min(j->deadline, now);
    return true;
}

/* ---- leaving ---- */

void rt_jitter_describe(rt_frame *frame, const rt_jitter_slot *slot, bool recovered)
{
    frame->payload_type = slot->payload_type;
    frame->timestamp = slot->timestamp;
    frame->rotation = slot->rotation;
    frame->audio_level = slot->audio_level;
    frame->captured = slot->captured;
    frame->flags |= (uint8_t)((slot->voice ? RT_FRAME_VOICE : 0) | (slot->marker ? RT_FRAME_MARKER : 0) |
                              (recovered ? RT_FRAME_RECOVERED : 0));
}

rt_frame *rt_jitter_pop(rt_jitter *j, rt_time now)
{
    if (j->ready) {
        rt_frame *frame = j->ready;
        j->ready = frame->next;
        if (!j->ready)
            j->ready_end = &j->ready;
        frame->next = NULL;
        return frame;
    }
    if (now < j->deadline)
        return NULL;
    return j->config.video ? rt_jitter_video_pop(j, now) : rt_jitter_audio_pop(j, now);
}

rt_time rt_jitter_deadline(const rt_jitter *j)
{
    return j->ready ? INT64_MIN : j->deadline;
}

void rt_jitter_restart(rt_jitter *j, uint64_t sequence, rt_time now)
{
    bool passthrough = j->config.passthrough;
    rt_time patience = j->patience;
    j->config.passthrough = true;
    j->patience = 0;
    rt_frame *frame;
    while (j->count) { /* what is whole, and behind each hole */
        while ((frame = j->config.video ? rt_jitter_video_pop(j, now) : rt_jitter_audio_pop(j, now))) {
            *j->ready_end = frame;
            j->ready_end = &frame->next;
        }
        if (j->count && j->config.video)
            rt_jitter_video_give_up(j);
        else
            rt_jitter_advance(j, j->end);
    }
    j->config.passthrough = passthrough;
    j->patience = patience;
    rt_jitter_advance(j, sequence);
    j->popped = false;
    rt_jitter_video_reset(j);
    j->video.chain = j->video.aligned = false;
    j->video.discontinuity = j->audio.discontinuity = true;
    j->audio.playing = false;
    j->timeline.anew = true;
    j->deadline = RT_NEVER;
}

uint64_t rt_jitter_head(const rt_jitter *j)
{
    return j->head;
}

bool rt_jitter_key_frame_needed(const rt_jitter *j)
{
    return j->video.key_needed;
}

void rt_jitter_get_stats(const rt_jitter *j, rt_jitter_stats *out)
{
    *out = j->stats;
    out->target_delay = j->delay.samples ? j->target - rt_jitter_delay_fastest(&j->delay) : j->config.min_delay;
    out->packets = j->count;
    int64_t last = INT64_MIN;
    for (uint64_t i = j->head; i < j->end; i++) {
        const rt_jitter_slot *slot = rt_jitter_find(j, i);
        if (slot && slot->kind != RT_JITTER_PADDING && slot->timestamp != last) {
            out->queued_frames++;
            last = slot->timestamp;
        }
    }
}
