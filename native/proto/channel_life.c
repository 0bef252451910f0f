#include "proto/channel_internal.h"

#include "wire/dcep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PRIORITY = 256 };

rt_channel *rt_channel_create(rt_channels *set, rt_span label, rt_span subprotocol, bool shown)
{
    rt_channel *channel = calloc(1, sizeof *channel + label.size + subprotocol.size);
    if (!channel)
        return NULL;
    if (shown) {
        do
            set->last_handle++;
        while (set->last_handle == 0 || rt_map_get(&set->by_handle, set->last_handle));
        channel->handle = set->last_handle;
        if (rt_map_put(&set->by_handle, channel->handle, channel) != RT_OK) {
            free(channel);
            return NULL;
        }
    }
    channel->id = RT_CHANNEL_ID_NONE;
    channel->priority = DEFAULT_PRIORITY;
    channel->max_retransmits = channel->max_lifetime_ms = -1;
    channel->ordered = true;
    channel->label_size = (uint16_t)label.size;
    channel->subprotocol_size = (uint16_t)subprotocol.size;
    if (label.size)
        memcpy(channel->text, label.data, label.size);
    if (subprotocol.size)
        memcpy(channel->text + label.size, subprotocol.data, subprotocol.size);
    rt_channel_append(&set->all, &channel->all);
    return channel;
}

static void leave_stream(rt_channels *set, rt_channel *channel, bool burn)
{
    rt_channel_unlink(&channel->owing);
    rt_message_free(channel->partial);
    channel->partial = NULL;
    if (channel->id != RT_CHANNEL_ID_NONE && rt_channel_on(set, channel->id) == channel)
        rt_channel_streams_remove(&set->streams, channel->id, burn);
}

void rt_channel_destroy(rt_channels *set, rt_channel *channel)
{
    leave_stream(set, channel, false);
    rt_channel_unlink(&channel->telling);
    rt_channel_unlink(&channel->all);
    if (channel->handle)
        rt_map_remove(&set->by_handle, channel->handle);
    if (channel->incoming && channel->handle) {
        set->incoming--;
        set->incoming_text -= (uint32_t)channel->label_size + channel->subprotocol_size;
    }
    free(channel);
}

rt_status rt_channel_take_id(rt_channels *set, rt_channel *channel, uint16_t id)
{
    rt_status status = rt_channel_streams_put(&set->streams, id, channel);
    if (status != RT_OK)
        return status;
    channel->id = id;
    rt_channel_configure(set, channel);
    return RT_OK;
}

void rt_channel_configure(rt_channels *set, const rt_channel *channel)
{
    rt_sctp_set_priority(set->sctp, channel->id, channel->priority);
    if (channel->low_wanted)
        rt_sctp_set_buffered_low(set->sctp, channel->id, channel->low_threshold);
}

rt_status rt_channel_choose_id(rt_channels *set, rt_channel *channel)
{
    uint32_t limit = set->connected ? rt_sctp_streams_out(set->sctp) : RT_CHANNEL_ID_NONE;
    if (limit > RT_CHANNEL_ID_NONE)
        limit = RT_CHANNEL_ID_NONE;
    uint16_t id;
    rt_status status = rt_channel_streams_vacant(&set->streams, !set->dtls_client, limit, &id);
    return status == RT_OK ? rt_channel_take_id(set, channel, id) : status;
}

void rt_channel_tell(rt_channels *set, rt_channel *channel, uint8_t event)
{
    if (channel->handle == 0)
        return;
    channel->events |= event;
    if (!rt_channel_linked(&channel->telling))
        rt_channel_append(&set->telling, &channel->telling);
}

/* DCEP is reliable and ordered whatever the channel is (RFC 8832 section 6). */
static rt_status send_dcep(rt_channels *set, rt_channel *channel, rt_span message, rt_time now)
{
    rt_sctp_send_info info = {
        .protocol = RT_PPID_DCEP, .stream = channel->id, .max_retransmits = -1, .lifetime = RT_NEVER};
    rt_status status = rt_sctp_send(set->sctp, &info, message, now);
    if (status == RT_OK) {
        channel->dcep_size = (uint32_t)message.size;
        channel->given = message.size;
    }
    return status;
}

static rt_status send_open(rt_channels *set, rt_channel *channel, rt_time now)
{
    rt_dcep_open open = {
        .unordered = !channel->ordered,
        .priority = channel->priority,
        .label = {channel->text, channel->label_size},
        .protocol = {channel->text + channel->label_size, channel->subprotocol_size},
    };
    if (channel->max_retransmits >= 0) {
        open.reliability = RT_DCEP_RETRANSMITS;
        open.parameter = (uint32_t)channel->max_retransmits;
    } else if (channel->max_lifetime_ms >= 0) {
        open.reliability = RT_DCEP_LIFETIME;
        open.parameter = (uint32_t)channel->max_lifetime_ms;
    }
    uint8_t small[256];
    size_t size = rt_dcep_open_size(&open);
    uint8_t *memory = size <= sizeof small ? small : malloc(size);
    if (!memory)
        return RT_NO_MEMORY;
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, size));
    rt_status status = rt_dcep_write_open(&writer, &open);
    assert(status == RT_OK);
    status = send_dcep(set, channel, rt_span_of(memory, size), now);
    if (memory != small)
        free(memory);
    return status;
}

static rt_status send_ack(rt_channels *set, rt_channel *channel, rt_time now)
{
    static const uint8_t ack[] = {RT_DCEP_ACK};
    return send_dcep(set, channel, rt_span_of(ack, sizeof ack), now);
}

/* RFC 8831 section 6.7: closing is resetting our direction, the peer answers by resetting its own. */
void rt_channel_reset(rt_channels *set, rt_channel *channel, rt_time now)
{
    if (channel->reset_requested)
        return;
    /* Our ACK goes first, for without it the peer would see a refusal. */
    channel->reset_wanted = channel->stream_busy || rt_channel_linked(&channel->owing);
    if (channel->reset_wanted)
        return;
    rt_status status = rt_sctp_reset_stream(set->sctp, channel->id, now);
    if (status == RT_OK)
        channel->reset_requested = true;
    else
        rt_channel_finish(set, channel, RT_CHANNEL_FAILED, rt_status_text(status), true);
}

static void opened(rt_channels *set, rt_channel *channel)
{
    channel->state = RT_CHANNEL_OPEN;
    channel->told = true;
    set->stats.opened++;
    rt_channel_tell(set, channel, PENDING_OPEN);
}

/* RT_AGAIN: it waits. Any other failure ended the channel. */
static rt_status announce(rt_channels *set, rt_channel *channel, rt_time now)
{
    if (!set->connected || channel->id == RT_CHANNEL_ID_NONE || channel->stream_busy)
        return RT_AGAIN;
    if (channel->id >= rt_sctp_streams_out(set->sctp)) {
        rt_channel_finish(set, channel, RT_CHANNEL_FAILED, "the peer does not have so many streams", false);
        return RT_CLOSED;
    }
    rt_status status = RT_OK;
    if (channel->incoming)
        status = send_ack(set, channel, now);
    else if (!channel->negotiated)
        status = send_open(set, channel, now);
    if (status == RT_AGAIN)
        return status;
    rt_channel_unlink(&channel->owing);
    if (status != RT_OK) {
        rt_channel_finish(set, channel, RT_CHANNEL_FAILED, rt_status_text(status), false);
        return status;
    }
    if (!channel->incoming)
        opened(set, channel);
    else if (channel->reset_wanted)
        rt_channel_reset(set, channel, now);
    return RT_OK;
}

void rt_channel_announce(rt_channels *set, rt_channel *channel, rt_time now)
{
    /* Behind those that wait already, so that channels open in the order of their creation. */
    rt_channel_append(&set->owing, &channel->owing);
    rt_channel_announce_all(set, now);
}

void rt_channel_announce_all(rt_channels *set, rt_time now)
{
    if (!set->connected)
        return;
    for (rt_channel_link *link = set->owing.next, *next; link != &set->owing; link = next) {
        next = link->next;
        rt_channel *channel = CHANNEL_OF(link, owing);
        bool blocked = channel->id == RT_CHANNEL_ID_NONE || channel->stream_busy; /* by itself: others can go */
        if (announce(set, channel, now) == RT_AGAIN && !blocked)
            return;
    }
}

void rt_channel_start_close(rt_channels *set, rt_channel *channel, bool by_peer, rt_time now)
{
    bool known_to_peer = channel->incoming || channel->state == RT_CHANNEL_OPEN;
    if (!known_to_peer || !set->connected || set->ending) {
        rt_channel_finish(set, channel, 0, "", false);
        return;
    }
    channel->state = RT_CHANNEL_CLOSING;
    if (by_peer)
        rt_channel_tell(set, channel, PENDING_CLOSING);
    rt_channel_reset(set, channel, now);
}

void rt_channel_finish(rt_channels *set, rt_channel *channel, uint16_t error, const char *reason, bool burn)
{
    if (channel->state == RT_CHANNEL_CLOSED)
        return;
    leave_stream(set, channel, burn);
    if (channel->handle == 0) {
        rt_channel_destroy(set, channel);
        return;
    }
    channel->state = RT_CHANNEL_CLOSED;
    if (channel->error == 0) {
        channel->error = error;
        channel->reason = reason;
    }
    if (channel->told)
        set->stats.closed++;
    rt_channel_tell(set, channel, PENDING_CLOSED);
}

void rt_channel_finish_all(rt_channels *set, uint16_t error)
{
    for (rt_channel_link *link = set->all.next, *next; link != &set->all; link = next) {
        next = link->next;
        rt_channel_finish(set, CHANNEL_OF(link, all), error, NULL, false);
    }
}
