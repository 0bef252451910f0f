#include "proto/history.h"

#include "base/prefetch.h"

void rt_history_init(rt_history *history)
{
    *history = (rt_history){0};
    rt_ring_init(&history->frames, sizeof(rt_history_frame), RT_HISTORY_FRAMES);
    rt_ring_init(&history->packets, sizeof(rt_history_packet), RT_HISTORY_PACKETS);
}

void rt_history_free(rt_history *history)
{
    rt_history_clear(history);
    rt_ring_free(&history->frames);
    rt_ring_free(&history->packets);
}

static void pop_frame(rt_history *history)
{
    rt_history_frame *frame = rt_ring_first(&history->frames);
    rt_payloads_unref(frame->payloads);
    rt_ring_pop(&history->frames);
    history->first_frame++;
}

void rt_history_clear(rt_history *history)
{
    while (history->frames.count)
        pop_frame(history);
    rt_ring_clear(&history->packets);
    history->bytes = 0;
}

static void pop_packet(rt_history *history)
{
    rt_history_packet *packet = rt_ring_first(&history->packets);
    rt_history_frame *frame = rt_ring_first(&history->frames);
    assert(packet->frame == history->first_frame);
    history->bytes -= packet->size;
    history->first_sequence++;
    rt_ring_pop(&history->packets);
    if (--frame->left == 0)
        pop_frame(history);
}

bool rt_history_begin(rt_history *history, const rt_history_frame *frame)
{
    assert(frame->payloads->count > 0);
    while (history->frames.count == RT_HISTORY_FRAMES && history->packets.count)
        pop_packet(history);
    rt_history_frame *room = rt_ring_push(&history->frames);
    if (!room) {
        rt_history_clear(history);
        return false;
    }
    *room = *frame;
    room->left = frame->payloads->count;
    rt_payloads_ref(frame->payloads);
    return true;
}

rt_history_packet *rt_history_add(rt_history *history, uint16_t sequence, uint32_t index, size_t size, rt_time now)
{
    assert(history->frames.count > 0);
    if (history->packets.count == RT_HISTORY_PACKETS)
        pop_packet(history);
    rt_history_packet *packet = rt_ring_push(&history->packets);
    if (!packet) {
        rt_history_clear(history);
        return NULL;
    }
    if (history->packets.count == 1)
        history->first_sequence = sequence;
    assert(sequence == (uint16_t)(history->first_sequence + history->packets.count - 1));
    *packet = (rt_history_packet){
        .sent = now,
        .frame = history->first_frame + history->frames.count - 1,
        .index = index,
        .size = (uint16_t)size,
    };
    history->bytes += size;
    return packet;
}

rt_history_packet *rt_history_find(const rt_history *history, uint16_t sequence, rt_history_frame **frame)
{
    uint16_t place = (uint16_t)(sequence - history->first_sequence);
    if (place >= history->packets.count)
        return NULL;
    rt_history_packet *packet = rt_ring_at(&history->packets, place);
    *frame = rt_ring_at(&history->frames, packet->frame - history->first_frame);
    return packet;
}

/* Where an item will be pushed; NULL: in memory that is not there yet. */
static const void *next_place(const rt_ring *ring)
{
    return ring->count < ring->capacity
               ? ring->items + (size_t)((ring->head + ring->count) & (ring->capacity - 1)) * ring->item_size
               : NULL;
}

void rt_history_prefetch(const rt_history *history)
{
    const void *frame = next_place(&history->frames), *packet = next_place(&history->packets);
    if (frame)
        rt_prefetch(frame, sizeof(rt_history_frame));
    if (packet)
        rt_prefetch(packet, RT_PREFETCHED * sizeof(rt_history_packet));
    if (history->packets.count)
        rt_prefetch(rt_ring_first(&history->packets), RT_PREFETCHED * sizeof(rt_history_packet));
    if (history->frames.count)
        rt_prefetch(rt_ring_first(&history->frames), offsetof(rt_history_frame, payload_type));
}

void rt_history_trim(rt_history *history, rt_time oldest, uint32_t few, size_t max_bytes)
{
    while (history->packets.count) {
        const rt_history_packet *packet = rt_ring_first(&history->packets);
        bool stays = packet->sent >= oldest || history->packets.count <= few;
        if (stays && history->bytes <= max_bytes)
            return;
        pop_packet(history);
    }
}
