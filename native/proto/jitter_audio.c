/* The time line of audio: each frame is due at its time + offset, one after the other without a gap. The offset moves
 * where nothing was there to be played (later), by the wishes to stretch (either way), and in silence (to the
 * target).
 */
#include "proto/jitter_internal.h"

#define CONCEAL_MOST RT_MS(100) /* of what was not there to be played; more is silence */
#define FADED RT_MS(120)        /* a concealment is silent by then (proto/stretch.h) */
#define EARLY_MOST RT_MS(20)    /* more delay than the target before it is shortened */
#define LATE_MOST RT_MS(10)
#define NEAR_ENOUGH RT_MS(2)
#define SHORTEST RT_US(2500) /* frame (Opus): what is lost of shorter ones is not concealed one by one */

enum {
    STRETCH_PART = 4, /* of a frame's duration */
    OPUS_DTX = 2,     /* bytes: no more than this is silence (RFC 6716) */
};

static int64_t units(const rt_jitter *j, rt_time span)
{
    return (int64_t)((double)span / j->timeline.ns_per_unit);
}

static bool is_event(const rt_jitter_slot *slot)
{
    return slot->kind == RT_JITTER_FRAME && slot->format.codec == RT_CODEC_TELEPHONE_EVENT;
}

static bool begins_silence(const rt_frame *frame)
{
    return frame->codec == RT_CODEC_COMFORT_NOISE || (frame->codec == RT_CODEC_OPUS && frame->size <= OPUS_DTX);
}

static rt_jitter_slot *next_present(const rt_jitter *j, uint64_t *sequence)
{
    for (*sequence = j->head + 1; *sequence < j->end; ++*sequence) {
        rt_jitter_slot *slot = rt_jitter_find(j, *sequence);
        if (slot)
            return slot;
    }
    return NULL;
}

/* ---- what leaves ---- */

static void count_samples(rt_jitter *j, const rt_frame *frame, rt_time now)
{
    rt_jitter_stats *s = &j->stats;
    uint32_t samples = frame->duration;
    s->frames++;
    s->key_frames++;
    s->samples += samples;
    s->emitted += samples;
    s->delay += (now - frame->arrived) * (rt_time)samples;
    s->target_delay_sum += (j->target - rt_jitter_delay_fastest(&j->delay)) * (rt_time)samples;
    s->minimum_delay += j->minimum * (rt_time)samples;
    if (frame->stretch > 0)
        s->inserted_samples += (uint32_t)frame->stretch;
    else
        s->removed_samples += (uint32_t)-frame->stretch;
}

/* The frame at the head leaves. */
static rt_frame *take(rt_jitter *j, rt_jitter_slot *slot, rt_time now)
{
    rt_frame *frame = slot->frame;
    slot->kind = RT_JITTER_EMPTY;
    j->count--;
    rt_jitter_describe(frame, slot, slot->recovered || slot->redundant);
    if (j->audio.discontinuity)
        frame->flags |= RT_FRAME_DISCONTINUITY;
    frame->arrived = frame->completed = slot->arrived;
    frame->released = now;
    j->audio.discontinuity = false;
    rt_jitter_advance(j, j->head + 1);
    j->deadline = INT64_MIN; /* there may be more */
    return frame;
}

/* How much longer (or shorter) a frame should be played so that the delay comes to its target. */
static int32_t stretch(rt_jitter *j, uint32_t duration)
{
    rt_jitter_audio *a = &j->audio;
    rt_time excess = a->offset - j->target;
    if (excess > EARLY_MOST || excess < -LATE_MOST)
        a->stretching = true;
    if (excess < NEAR_ENOUGH && excess > -NEAR_ENOUGH)
        a->stretching = false;
    if (!a->stretching)
        return 0;
    int64_t wish = -units(j, excess), most = duration / STRETCH_PART;
    wish = wish > most ? most : wish < -most ? -most : wish;
    a->offset += rt_jitter_ns(j, wish);
    return (int32_t)wish;
}

static rt_frame *play(rt_jitter *j, rt_jitter_slot *slot, rt_time now)
{
    rt_jitter_audio *a = &j->audio;
    rt_frame *frame = take(j, slot, now);
    frame->stretch = j->config.passthrough ? 0 : stretch(j, frame->duration);
    a->playing = true;
    a->next = frame->timestamp + frame->duration;
    a->silent = begins_silence(frame);
    a->concealed = 0;
    a->inserted = 0;
    a->codec = frame->codec;
    a->payload_type = frame->payload_type;
    if (rt_jitter_ns(j, frame->duration) >= SHORTEST)
        a->duration = frame->duration;
    count_samples(j, frame, now);
    return frame;
}

static rt_frame *conceal(rt_jitter *j, uint32_t duration, int32_t insert, rt_time now)
{
    rt_jitter_audio *a = &j->audio;
    rt_frame *frame = rt_frame_new(0);
    if (!frame)
        return NULL;
    frame->codec = a->codec;
    frame->payload_type = a->payload_type;
    frame->flags = RT_FRAME_LOST;
    frame->timestamp = a->next;
    frame->duration = duration;
    frame->stretch = insert;
    frame->arrived = frame->completed = frame->released = now;
    uint32_t samples = duration + (uint32_t)insert;
    j->stats.samples += samples;
    j->stats.concealed_samples += samples;
    j->stats.concealment_events += a->concealed == 0;
    a->concealed += samples;
    if (rt_jitter_ns(j, a->concealed) > FADED)
        j->stats.silent_concealed_samples += samples;
    a->next += duration;
    j->deadline = INT64_MIN; /* there may be more */
    return frame;
}

/* ---- what is missing ---- */

/* Nothing later has come: time stands still, concealed for a while. */
static rt_frame *starve(rt_jitter *j, rt_time now)
{
    rt_jitter_audio *a = &j->audio;
    if (!a->playing || a->silent || !a->duration || j->config.passthrough)
        return NULL;
    if (rt_jitter_ns(j, (int64_t)a->inserted + a->duration) > CONCEAL_MOST)
        return NULL;
    rt_time due = rt_jitter_ns(j, a->next + a->duration) + a->offset; /* one duration late, it is missed */
    if (now < due) {
        j->deadline = due;
        return NULL;
    }
    a->inserted += a->duration;
    a->offset += rt_jitter_ns(j, a->duration);
    return conceal(j, 0, (int32_t)a->duration, now);
}

/* What was concealed while nothing came was the time of those that are missing before `sequence` after all. */
static void settle_inserted(rt_jitter *j, uint64_t sequence, int64_t timestamp)
{
    rt_jitter_audio *a = &j->audio;
    while (a->inserted >= a->duration && j->head < sequence && a->next + a->duration <= timestamp) {
        a->inserted -= a->duration;
        a->next += a->duration;
        a->offset -= rt_jitter_ns(j, a->duration);
        a->discontinuity = true;
        rt_jitter_advance(j, j->head + 1);
    }
    a->inserted = 0;
}

/* How many of `missing` frames, the first `late` by now, are over for so long that nobody would hear a concealment: all
 * at once, since a jump may pass over thousands. No more than `fit` the time that is missing. */
static uint64_t long_over(const rt_jitter *j, rt_time late, uint32_t duration, uint64_t missing, uint64_t fit)
{
    rt_time each = rt_time_max(rt_jitter_ns(j, duration), 1);
    uint64_t over = (uint64_t)((late - CONCEAL_MOST - 1) / each) + 1;
    over = over < missing ? over : missing;
    return over < fit ? over : fit;
}

/* The head is missing, and `later` has come. True: go on with the head as it is now; `*out`: what leaves. */
static bool step_over(rt_jitter *j, const rt_jitter_slot *later, uint64_t sequence, rt_frame **out, rt_time now)
{
    rt_jitter_audio *a = &j->audio;
    *out = NULL;
    if (j->config.passthrough) {
        rt_time until = later->arrived + j->patience;
        if (now < until) {
            j->deadline = until;
            return false;
        }
        a->discontinuity = true;
        rt_jitter_advance(j, sequence);
        return true;
    }
    bool timed = later->kind == RT_JITTER_FRAME && !is_event(later);
    if (timed && a->playing && a->inserted) {
        settle_inserted(j, sequence, later->timestamp);
        if (j->head == sequence)
            return true;
    }
    int64_t gap = timed ? later->timestamp - a->next : a->duration;
    uint32_t duration = gap < a->duration ? (uint32_t)rt_time_max(gap, 0) : a->duration;
    if (!a->playing || !duration) { /* no time is missing */
        a->discontinuity = true;
        rt_jitter_advance(j, sequence);
        return true;
    }
    rt_time due = rt_jitter_ns(j, a->next) + a->offset;
    if (now < due) {
        j->deadline = due;
        return false;
    }
    a->discontinuity = true;
    if (now - due > CONCEAL_MOST) {
        uint64_t fit = timed ? (uint64_t)gap / duration : UINT64_MAX;
        uint64_t over = long_over(j, now - due, duration, sequence - j->head, fit);
        a->next += (int64_t)(over * duration);
        rt_jitter_advance(j, j->head + over);
        return true;
    }
    *out = conceal(j, duration, 0, now);
    rt_jitter_advance(j, j->head + 1);
    return *out == NULL;
}

/* ---- the head ---- */

/* When the frame at the head is due. It came later than that: the time line waits for it. */
static rt_time due_of(rt_jitter *j, const rt_jitter_slot *slot)
{
    rt_jitter_audio *a = &j->audio;
    rt_time time = rt_jitter_ns(j, slot->timestamp);
    if (!a->playing || slot->timestamp > a->next) { /* after silence the delay is free */
        a->offset = j->target;
        a->playing = true;
        a->next = slot->timestamp;
    }
    a->offset = rt_time_max(a->offset, slot->arrived - time);
    return time + a->offset;
}

static bool too_late(const rt_jitter *j, const rt_jitter_slot *slot)
{
    rt_time limit = rt_jitter_delay_fastest(&j->delay) + j->config.max_delay;
    return slot->arrived - rt_jitter_ns(j, slot->timestamp) > limit;
}

rt_frame *rt_jitter_audio_pop(rt_jitter *j, rt_time now)
{
    j->deadline = RT_NEVER;
    while (j->count || j->audio.playing) {
        rt_jitter_slot *slot = rt_jitter_find(j, j->head), *later;
        rt_frame *frame;
        uint64_t sequence;
        if (!slot) {
            later = next_present(j, &sequence);
            if (!later)
                return starve(j, now);
            if (!step_over(j, later, sequence, &frame, now))
                return frame;
            continue;
        }
        if (slot->kind == RT_JITTER_PADDING) {
            rt_jitter_advance(j, j->head + 1);
            continue;
        }
        if (is_event(slot))
            return take(j, slot, now);
        if (j->config.passthrough)
            return play(j, slot, now);
        if (too_late(j, slot)) {
            j->stats.discarded++;
            j->audio.discontinuity = true;
            rt_jitter_advance(j, j->head + 1);
            continue;
        }
        rt_time due = due_of(j, slot);
        if (now < due) {
            j->deadline = due;
            return NULL;
        }
        return play(j, slot, now);
    }
    return NULL;
}
