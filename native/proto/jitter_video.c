/* Which video frame leaves next: the one at the head if it is whole, decodable and due; behind a hole that is not
 * repaired in time, the first that can be decoded without what is missing.
 */
#include "proto/jitter_internal.h"

#include "base/seq.h"

enum {
    LAYERS = 8,
    FREEZE_FRAMES = 3, /* W3C: a freeze is an interval of three mean ones, and of 150 ms more than one */
};

#define LAYER_PATIENCE RT_MS(60) /* for what only some layers are without */
#define FREEZE_LEAST RT_MS(150)

void rt_jitter_video_reset(rt_jitter *j)
{
    j->video.scan = j->head;
    j->video.whole = false;
    j->video.stuck_since = 0;
    j->video.assembled = 0;
    j->video.searched = false;
}

/* To the beginning of a frame. */
static void move_head(rt_jitter *j, uint64_t head)
{
    rt_jitter_advance(j, head);
    rt_jitter_video_reset(j);
    j->video.aligned = true;
}

/* ---- what is a frame ---- */

/* Whether a first packet tells by itself that it is one. H.264 and H.265 do so by a sequence parameter set, AV1 by a
 * new coded video sequence; their other frames are known to begin where the frame before has ended. */
static bool says_start(const rt_jitter_slot *slot)
{
    const rt_payload_info *info = &slot->info;
    switch (slot->format.codec) {
    case RT_CODEC_VP8: return info->starts_frame;
    case RT_CODEC_VP9: return info->starts_frame && info->spatial == 0;
    case RT_CODEC_AV1: return info->starts_frame && info->key;
    default: return info->starts_frame && info->width != 0;
    }
}

static bool starts(const rt_jitter *j, uint64_t sequence, const rt_jitter_slot *slot)
{
    if (says_start(slot))
        return true;
    const rt_jitter_slot *before = rt_jitter_find(j, sequence - 1);
    return before && (before->kind == RT_JITTER_PADDING || before->timestamp != slot->timestamp);
}

/* Looks on from `at`, in the frame that `first` begins: true if it is whole, and `*end` is where the next begins.
 * False: a packet is missing at `*end`. */
static bool look(const rt_jitter *j, const rt_jitter_slot *first, uint64_t at, uint64_t *end, rt_time *arrived)
{
    for (;; at++) {
        const rt_jitter_slot *slot = rt_jitter_find(j, at);
        if (!slot) {
            *end = at;
            return false;
        }
        if (slot->kind == RT_JITTER_PADDING)
            continue;
        if (slot->timestamp != first->timestamp) {
            *end = at;
            return true;
        }
        *arrived = rt_time_max(*arrived, slot->arrived);
        if (slot->info.ends_frame) {
            *end = at + 1;
            return true;
        }
    }
}

static bool is_key(const rt_jitter *j, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++) {
        const rt_jitter_slot *slot = rt_jitter_at(j, i);
        if (slot->kind == RT_JITTER_PAYLOAD && slot->info.key)
            return true;
    }
    return false;
}

/* ---- what can be decoded ---- */

static uint8_t layer_of(const rt_jitter_slot *slot)
{
    return slot->info.temporal < LAYERS ? slot->info.temporal : LAYERS - 1;
}

static uint8_t layers_from(uint8_t lowest)
{
    return (uint8_t)(0xFFu << lowest);
}

/* Behind a hole: does its first packet tell that the frame needs nothing of what is missing? */
static bool skips_hole(const rt_jitter *j, const rt_jitter_slot *slot)
{
    const rt_jitter_video *v = &j->video;
    const rt_payload_info *info = &slot->info;
    uint8_t layer = layer_of(slot);
    if (!v->chain)
        return false;
    if (info->has_picture_id && v->has_picture_id) {
        uint16_t mask = info->picture_id_bits == 7 ? 0x7F : 0x7FFF;
        if (((info->picture_id - v->picture_id) & mask) == 1 && !(v->broken & ~layers_from((uint8_t)(layer + 1))))
            return true; /* nothing but padding was lost */
    }
    if (!info->has_tl0 || !v->has_tl0)
        return false;
    if (layer == 0)
        return (uint8_t)(info->tl0 - v->tl0) == 1;
    return info->tl0 == v->tl0 && info->layer_switch;
}

/* The frame at the head, nothing missing before it. */
static bool decodable(const rt_jitter *j, const rt_jitter_slot *first, bool key)
{
    const rt_jitter_video *v = &j->video;
    uint8_t layer = layer_of(first);
    if (key)
        return true;
    if (!v->chain)
        return false;
    uint8_t needs = (uint8_t)~layers_from((uint8_t)(layer + 1));
    return !(v->broken & needs) || (layer && first->info.layer_switch);
}

/* The frame leaves: what later ones may refer to. */
static void note_left(rt_jitter *j, const rt_jitter_slot *first, bool key)
{
    rt_jitter_video *v = &j->video;
    const rt_payload_info *info = &first->info;
    uint8_t layer = layer_of(first);
    if (key)
        v->broken = 0;
    else if (layer && info->layer_switch)
        v->broken &= (uint8_t)~(1u << layer);
    v->chain = true;
    v->key_needed = false;
    v->has_picture_id = info->has_picture_id;
    v->picture_id = info->picture_id;
    if (layer == 0 || key) {
        v->has_tl0 = info->has_tl0;
        v->tl0 = info->tl0;
    }
}

/* ---- leaving ---- */

static rt_time due_of(const rt_jitter *j, const rt_jitter_slot *slot)
{
    return j->config.passthrough ? INT64_MIN : rt_jitter_ns(j, slot->timestamp) + j->target;
}

static void count_freeze(rt_jitter *j, rt_time now)
{
    rt_jitter_video *v = &j->video;
    if (v->last_released) {
        rt_time interval = now - v->last_released, mean = v->mean_interval;
        if (mean && interval > rt_time_max(FREEZE_FRAMES * mean, mean + FREEZE_LEAST)) {
            j->stats.freezes++;
            j->stats.total_freezes_duration += interval;
        } else {
            v->mean_interval = mean ? mean + (interval - mean) / 16 : interval;
        }
    }
    v->last_released = now;
}

static void count_frame(rt_jitter *j, const rt_frame *frame, rt_time now)
{
    rt_jitter_stats *s = &j->stats;
    rt_time held = now - frame->arrived, took = frame->completed - frame->arrived;
    s->frames++;
    s->key_frames += (frame->flags & RT_FRAME_KEY) != 0;
    s->emitted++;
    s->delay += held;
    s->target_delay_sum += j->target - rt_jitter_delay_fastest(&j->delay);
    s->minimum_delay += j->minimum;
    if (frame->packets > 1) {
        s->frames_assembled_multiple++;
        s->total_assembly_time += took;
    }
    if (frame->width) {
        s->width = frame->width;
        s->height = frame->height;
    }
    count_freeze(j, now);
}

/* The frames of the packets in [from, to) are dropped; one of which more comes later counts once. */
static void count_dropped(rt_jitter *j, uint64_t from, uint64_t to)
{
    rt_jitter_video *v = &j->video;
    for (uint64_t i = from; i < to; i++) {
        const rt_jitter_slot *slot = rt_jitter_find(j, i);
        if (slot && slot->kind == RT_JITTER_PAYLOAD && (!v->dropped_any || slot->timestamp != v->dropped)) {
            v->dropped_any = true;
            v->dropped = slot->timestamp;
            j->stats.frames_dropped++;
        }
    }
}

static void drop(rt_jitter *j, uint64_t end)
{
    count_dropped(j, j->head, end);
    j->video.discontinuity = true;
    move_head(j, end);
}

/* The chain is broken: nothing but a key frame goes on. */
static void lose_chain(rt_jitter *j)
{
    j->video.chain = false;
    j->video.key_needed = true;
    j->video.discontinuity = true;
}

/* The whole frame in [head, scan). NULL: it was malformed, and is gone. */
static rt_frame *assemble(rt_jitter *j, bool key, rt_time now)
{
    rt_jitter_video *v = &j->video;
    const rt_jitter_slot *first = rt_jitter_at(j, j->head), *last = first;
    rt_time arrived = first->arrived;
    bool recovered = false;
    size_t count = 0;
    for (uint64_t i = j->head; i < v->scan; i++) {
        const rt_jitter_slot *slot = rt_jitter_at(j, i);
        if (slot->kind == RT_JITTER_PADDING)
            continue;
        j->spans[count++] = rt_span_of(slot->data, slot->size);
        recovered |= slot->recovered;
        arrived = rt_time_min(arrived, slot->arrived);
        last = slot;
    }
    rt_frame *frame;
    if (rt_payload_assemble(&first->format, j->spans, count, &frame) != RT_OK) {
        j->stats.malformed_frames++;
        lose_chain(j);
        drop(j, v->scan);
        return NULL;
    }
    rt_jitter_describe(frame, last, recovered);
    if (!frame->captured)
        frame->captured = first->captured;
    frame->flags |= (uint8_t)((key ? RT_FRAME_KEY : 0) | (v->discontinuity ? RT_FRAME_DISCONTINUITY : 0));
    frame->packets = (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX);
    frame->temporal = first->info.temporal;
    frame->arrived = arrived;
    frame->completed = v->assembled;
    frame->released = now;
    note_left(j, first, key);
    v->discontinuity = false;
    count_frame(j, frame, now);
    move_head(j, v->scan);
    return frame;
}

/* ---- holes ---- */

/* The first decodable whole frame behind the hole. */
static bool search(const rt_jitter *j, uint64_t *first, bool *key)
{
    for (uint64_t i = j->video.scan + 1; i < j->end;) {
        const rt_jitter_slot *slot = rt_jitter_find(j, i);
        uint64_t end;
        rt_time arrived = 0;
        if (!slot || slot->kind == RT_JITTER_PADDING || !starts(j, i, slot)) {
            i++;
            continue;
        }
        if (look(j, slot, i, &end, &arrived)) {
            *key = is_key(j, i, end);
            if (*key || skips_hole(j, slot)) {
                *first = i;
                return true;
            }
        }
        i = end > i ? end : i + 1;
    }
    return false;
}

static void jump_to(rt_jitter *j, uint64_t first, bool key)
{
    const rt_jitter_slot *slot = rt_jitter_at(j, first);
    count_dropped(j, j->head, first);
    j->video.discontinuity = true;
    if (!key) /* which layers the lost frames were of is not known */
        j->video.broken |= (uint8_t)(layers_from(1) & ~(layer_of(slot) ? 1u << layer_of(slot) : 0));
    move_head(j, first);
}

/* The hole lies within the head frame, which no other frame needs: its end, or 0. */
static uint64_t end_of_discardable(const rt_jitter *j)
{
    const rt_jitter_slot *first = rt_jitter_find(j, j->head);
    if (!first || !first->info.discardable)
        return 0;
    for (uint64_t i = j->head; i < j->end; i++) {
        const rt_jitter_slot *slot = rt_jitter_find(j, i);
        if (!slot)
            continue;
        if (slot->kind == RT_JITTER_PAYLOAD && slot->timestamp == first->timestamp && slot->info.ends_frame)
            return i + 1;
        if (slot->timestamp != first->timestamp)
            return rt_jitter_find(j, i - 1) ? i : 0; /* else its last packets, or whole frames, are missing */
    }
    return 0;
}

void rt_jitter_video_give_up(rt_jitter *j)
{
    const rt_jitter_slot *head = rt_jitter_find(j, j->head);
    uint64_t next = j->head + 1;
    for (; next < j->end; next++) {
        const rt_jitter_slot *slot = rt_jitter_find(j, next);
        if (slot && slot->kind == RT_JITTER_PAYLOAD && !(head && slot->timestamp == head->timestamp) &&
            starts(j, next, slot))
            break;
    }
    count_dropped(j, j->head, next);
    lose_chain(j);
    bool found = next < j->end;
    move_head(j, next);
    j->video.aligned = found;
}

/* When the packet came that told of the hole. */
static rt_time noticed(const rt_jitter *j)
{
    for (uint64_t i = j->video.scan; i < j->end; i++) {
        const rt_jitter_slot *slot = rt_jitter_find(j, i);
        if (slot)
            return slot->arrived;
    }
    return 0;
}

static bool too_much(const rt_jitter *j, rt_time now)
{
    const rt_jitter_slot *head = rt_jitter_find(j, j->head);
    const rt_jitter_slot *last = rt_jitter_find(j, j->end - 1);
    return now - j->video.stuck_since >= RT_JITTER_SPAN ||
           (head && last && rt_jitter_ns(j, last->timestamp - head->timestamp) >= RT_JITTER_SPAN);
}

/* A packet is missing at `scan`, or before it. True: the head has moved. */
static bool step_over(rt_jitter *j, rt_time now)
{
    rt_jitter_video *v = &j->video;
    if (v->scan >= j->end)
        return false; /* still arriving */
    if (!v->stuck_since)
        v->stuck_since = noticed(j);
    rt_time least = v->stuck_since + rt_time_min(j->patience, LAYER_PATIENCE);
    rt_time most = v->stuck_since + j->patience;
    if (now < least) {
        j->deadline = least;
        return false;
    }
    uint64_t end = end_of_discardable(j), first;
    if (end) {
        drop(j, end);
        return true;
    }
    bool key;
    rt_time jump = RT_NEVER;
    if (!v->searched && search(j, &first, &key)) {
        jump = rt_time_max(key && v->chain ? most : least, due_of(j, rt_jitter_at(j, first)));
        if (now >= jump) {
            jump_to(j, first, key);
            return true;
        }
    } else {
        v->searched = true;
    }
    if (now >= most) {
        v->key_needed = v->key_needed || jump == RT_NEVER;
        if ((!v->chain && jump == RT_NEVER) || too_much(j, now)) {
            rt_jitter_video_give_up(j);
            return true;
        }
    }
    j->deadline = rt_time_min(jump, now < most ? most : v->stuck_since + RT_JITTER_SPAN);
    return false;
}

/* ---- the head ---- */

static void skip_padding(rt_jitter *j)
{
    uint64_t head = j->head;
    const rt_jitter_slot *slot;
    while ((slot = rt_jitter_find(j, head)) && slot->kind == RT_JITTER_PADDING)
        head++;
    if (head != j->head)
        move_head(j, head);
}

/* Whether the frame at the head is whole; its transit time counts then. */
static bool scan_head(rt_jitter *j, const rt_jitter_slot *first, rt_time now)
{
    rt_jitter_video *v = &j->video;
    if (v->whole)
        return true;
    uint64_t hole = v->scan;
    if (!look(j, first, v->scan, &v->scan, &v->assembled)) {
        if (v->scan != hole)
            v->stuck_since = 0; /* another hole than before */
        return false;
    }
    v->whole = true;
    rt_jitter_measure(j, v->assembled - rt_jitter_ns(j, first->timestamp), now);
    return true;
}

rt_frame *rt_jitter_video_pop(rt_jitter *j, rt_time now)
{
    j->deadline = RT_NEVER;
    for (;;) {
        skip_padding(j);
        if (!j->count)
            return NULL;
        const rt_jitter_slot *first = rt_jitter_find(j, j->head);
        if (first && !j->video.aligned && starts(j, j->head, first))
            j->video.aligned = true;
        if (!first || !j->video.aligned || !scan_head(j, first, now)) {
            if (!step_over(j, now))
                return NULL;
            continue;
        }
        bool key = is_key(j, j->head, j->video.scan);
        if (!decodable(j, first, key)) {
            if (!j->video.chain)
                j->video.key_needed = true;
            else /* its layer, and those above, go without it */
                j->video.broken |= layers_from(layer_of(first));
            drop(j, j->video.scan);
            continue;
        }
        rt_time due = due_of(j, first);
        if (now < due) {
            j->deadline = due;
            return NULL;
        }
        rt_frame *frame = assemble(j, key, now);
        if (frame) {
            j->deadline = INT64_MIN; /* there may be more */
            return frame;
        }
    }
}
