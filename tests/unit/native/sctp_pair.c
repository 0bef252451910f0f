#include "sctp_pair.h"

void sctp_pair_init(sctp_pair *pair)
{
    memset(pair, 0, sizeof *pair);
    pair->now = RT_SECONDS(1000);
    pair->delay = RT_MS(10);
    for (int i = 0; i < 2; i++) {
        rt_random_init_number(&pair->random[i], 7 + (uint64_t)i);
        rt_sctp_config_default(&pair->config[i]);
        pair->config[i].random = &pair->random[i];
    }
}

void sctp_pair_start(sctp_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        pair->end[i] = rt_sctp_new(&pair->config[i]);
        CHECK(pair->end[i] != NULL);
    }
}

void sctp_pair_free(sctp_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        rt_sctp_free(pair->end[i]);
        sctp_wire *wire = &pair->wire[i];
        for (size_t k = 0; k < wire->count; k++)
            free(wire->packets[(wire->head + k) % wire->capacity].data);
        free(wire->packets);
        while (pair->held[i]) {
            rt_message *next = pair->held[i]->next;
            rt_message_free(pair->held[i]);
            pair->held[i] = next;
        }
    }
}

static void put(sctp_wire *wire, const rt_packet *packet, rt_time arrives)
{
    if (wire->count == wire->capacity) {
        size_t capacity = wire->capacity ? wire->capacity * 2 : 64;
        sctp_wire_packet *packets = calloc(capacity, sizeof *packets);
        for (size_t k = 0; k < wire->count; k++)
            packets[k] = wire->packets[(wire->head + k) % wire->capacity];
        free(wire->packets);
        wire->packets = packets;
        wire->capacity = capacity;
        wire->head = 0;
    }
    sctp_wire_packet *slot = &wire->packets[(wire->head + wire->count++) % wire->capacity];
    slot->data = malloc(packet->size);
    memcpy(slot->data, packet->data, packet->size);
    slot->size = packet->size;
    slot->arrives = arrives;
}

void sctp_pair_drain(sctp_pair *pair, int side)
{
    rt_batch batch;
    for (;;) {
        rt_batch_init(&batch, rt_buffer_of(pair->memory, sizeof pair->memory), pair->slots, 64);
        size_t count = rt_sctp_transmit(pair->end[side], &batch, pair->now);
        CHECK_EQ(count, batch.count);
        if (count == 0)
            return;
        for (uint32_t k = 0; k < batch.count; k++) {
            const rt_packet *packet = &batch.packets[k];
            if (!pair->filter || !pair->filter(pair, side, rt_span_of(packet->data, packet->size)))
                put(&pair->wire[side], packet, pair->now + pair->delay);
        }
    }
}

static bool deliver(sctp_pair *pair, int from)
{
    sctp_wire *wire = &pair->wire[from];
    bool moved = false;
    while (wire->count && wire->packets[wire->head].arrives <= pair->now) {
        sctp_wire_packet packet = wire->packets[wire->head];
        wire->head = (wire->head + 1) % wire->capacity;
        wire->count--;
        rt_sctp_receive(pair->end[1 - from], rt_span_of(packet.data, packet.size), pair->now);
        free(packet.data);
        moved = true;
    }
    return moved;
}

static void take_message(sctp_pair *pair, int side, rt_message *message)
{
    pair->messages[side]++;
    pair->bytes[side] += message->size;
    pair->last_size[side] = (uint32_t)message->size;
    pair->last_stream[side] = message->stream;
    memcpy(pair->last_data[side], message->data, message->size < 16 ? message->size : 16);
    bool right = true;
    for (size_t k = 1; k < message->size; k++)
        right &= message->data[k] == (uint8_t)(message->data[0] + k);
    pair->checked[side] += right;
    if (!pair->hold[side]) {
        size_t size = message->size;
        rt_message_free(message);
        rt_sctp_release(pair->end[side], size, pair->now);
        return;
    }
    message->next = NULL;
    if (pair->held[side])
        pair->held_last[side]->next = message;
    else
        pair->held[side] = message;
    pair->held_last[side] = message;
}

void sctp_pair_events(sctp_pair *pair, int side)
{
    rt_sctp_event event;
    while (rt_sctp_event_next(pair->end[side], &event)) {
        pair->events[side][event.type]++;
        if (event.type == RT_SCTP_EVENT_MESSAGE)
            take_message(pair, side, event.message);
        else
            pair->last[side] = event;
    }
}

void sctp_pair_release(sctp_pair *pair, int side, size_t count)
{
    while (count-- && pair->held[side]) {
        rt_message *message = pair->held[side];
        pair->held[side] = message->next;
        size_t size = message->size;
        rt_message_free(message);
        rt_sctp_release(pair->end[side], size, pair->now);
    }
}

void sctp_pair_pump(sctp_pair *pair)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < 2; i++) {
            if (rt_sctp_deadline(pair->end[i]) <= pair->now)
                rt_sctp_expire(pair->end[i], pair->now);
            sctp_pair_events(pair, i);
            sctp_pair_drain(pair, i);
            moved |= deliver(pair, i);
        }
    }
    for (int i = 0; i < 2; i++)
        sctp_pair_events(pair, i);
}

bool sctp_pair_step(sctp_pair *pair, rt_time until)
{
    sctp_pair_pump(pair);
    rt_time next = RT_NEVER;
    for (int i = 0; i < 2; i++) {
        const sctp_wire *wire = &pair->wire[i];
        next = rt_time_min(next, rt_sctp_deadline(pair->end[i]));
        if (wire->count)
            next = rt_time_min(next, wire->packets[wire->head].arrives);
    }
    if (next > until)
        return false;
    pair->now = rt_time_max(pair->now, next);
    sctp_pair_pump(pair);
    return true;
}

void sctp_pair_run(sctp_pair *pair, rt_time span)
{
    rt_time until = pair->now + span;
    while (sctp_pair_step(pair, until))
        ;
    pair->now = until;
    sctp_pair_pump(pair);
}

void sctp_pair_connect(sctp_pair *pair, int side)
{
    for (int i = 0; i < 2; i++) {
        if (side == i || side == 2)
            CHECK_EQ(rt_sctp_connect(pair->end[i], pair->now), RT_OK);
    }
    rt_time until = pair->now + RT_SECONDS(60);
    while (rt_sctp_get_state(pair->end[0]) != RT_SCTP_ESTABLISHED ||
           rt_sctp_get_state(pair->end[1]) != RT_SCTP_ESTABLISHED)
        CHECK(sctp_pair_step(pair, until));
    sctp_pair_pump(pair);
}

static rt_status send_one(sctp_pair *pair, int side, uint16_t stream, size_t size, bool unordered)
{
    uint8_t *data = malloc(size);
    for (size_t k = 0; k < size; k++)
        data[k] = (uint8_t)(stream + size + k);
    rt_sctp_send_info info = {
        .protocol = 53, .stream = stream, .unordered = unordered, .max_retransmits = -1, .lifetime = RT_NEVER};
    rt_status status = rt_sctp_send(pair->end[side], &info, rt_span_of(data, size), pair->now);
    free(data);
    return status;
}

rt_status sctp_pair_send(sctp_pair *pair, int side, uint16_t stream, size_t size)
{
    return send_one(pair, side, stream, size, false);
}

rt_status sctp_pair_send_unordered(sctp_pair *pair, int side, uint16_t stream, size_t size)
{
    return send_one(pair, side, stream, size, true);
}

bool sctp_find_chunk(rt_span packet, uint8_t type, rt_sctp_chunk *out)
{
    rt_reader r = rt_reader_of(packet);
    rt_sctp_header header;
    CHECK(rt_sctp_read_header(&r, &header));
    while (rt_sctp_next_chunk(&r, out)) {
        if (out->type == type)
            return true;
    }
    return false;
}
