#include "proto/channel_internal.h"

#include "wire/dcep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

rt_channels *rt_channels_new(rt_sctp *sctp, uint32_t max_channels)
{
    rt_channels *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    set->sctp = sctp;
    set->max_incoming = max_channels ? max_channels : 65535;
    rt_map_init(&set->by_handle, 0); /* its keys are ours */
    set->all = (rt_channel_link){&set->all, &set->all};
    set->owing = (rt_channel_link){&set->owing, &set->owing};
    set->telling = (rt_channel_link){&set->telling, &set->telling};
    return set;
}

void rt_channels_free(rt_channels *set)
{
    if (!set)
        return;
    while (set->all.next != &set->all)
        rt_channel_destroy(set, CHANNEL_OF(set->all.next, all));
    rt_map_free(&set->by_handle);
    rt_channel_streams_free(&set->streams);
    free(set);
}

static void choose_id(rt_channels *set, rt_channel *channel)
{
    rt_status status = rt_channel_choose_id(set, channel);
    if (status != RT_OK)
        rt_channel_finish(set, channel, RT_CHANNEL_FAILED,
                          status == RT_AGAIN ? "no stream id is free" : rt_status_text(status), false);
}

void rt_channels_set_role(rt_channels *set, bool dtls_client, rt_time now)
{
    if (set->role_known)
        return;
    set->role_known = true;
    set->dtls_client = dtls_client;
    for (rt_channel_link *link = set->owing.next, *next; link != &set->owing; link = next) {
        next = link->next;
        rt_channel *channel = CHANNEL_OF(link, owing);
        if (channel->id == RT_CHANNEL_ID_NONE)
            choose_id(set, channel);
    }
    rt_channel_announce_all(set, now);
}

static bool valid_options(const rt_channel_options *options)
{
    if (options->label.size > RT_CHANNEL_LABEL_MAX || options->subprotocol.size > RT_CHANNEL_LABEL_MAX)
        return false;
    if (options->max_retransmits < -1 || options->max_lifetime_ms < -1)
        return false;
    if (options->max_retransmits >= 0 && options->max_lifetime_ms >= 0)
        return false;
    return options->negotiated == (options->id != RT_CHANNEL_ID_NONE);
}

rt_status rt_channel_open(rt_channels *set, const rt_channel_options *options, uint32_t *handle, rt_time now)
{
    if (!valid_options(options))
        return RT_INVALID;
    if (set->ending || set->ended)
        return RT_CLOSED;
    rt_channel *channel = rt_channel_create(set, options->label, options->subprotocol, true);
    if (!channel)
        return RT_NO_MEMORY;
    channel->ordered = options->ordered;
    channel->negotiated = channel->acknowledged = options->negotiated;
    channel->max_retransmits = options->max_retransmits;
    channel->max_lifetime_ms = options->max_lifetime_ms;
    if (options->priority)
        channel->priority = options->priority;

    rt_status status = RT_OK;
    if (options->negotiated)
        status = rt_channel_take_id(set, channel, options->id);
    else if (set->role_known)
        status = rt_channel_choose_id(set, channel);
    if (status != RT_OK) {
        rt_channel_destroy(set, channel);
        return status;
    }
    *handle = channel->handle;
    rt_channel_announce(set, channel, now);
    return RT_OK;
}

static rt_channel *find(const rt_channels *set, uint32_t handle)
{
    return rt_map_get(&set->by_handle, handle);
}

rt_status rt_channel_send(rt_channels *set, uint32_t handle, rt_span data, bool binary, rt_time now)
{
    static const uint8_t nothing[1] = {0};
    rt_channel *channel = find(set, handle);
    if (!channel)
        return RT_NOT_FOUND;
    if (channel->state != RT_CHANNEL_OPEN)
        return RT_UNEXPECTED;
    if (set->ending)
        return RT_CLOSED;
    if (rt_channel_linked(&channel->owing)) { /* the ACK goes first */
        set->room_wanted = true;
        return RT_AGAIN;
    }
    rt_sctp_send_info info = {
        .protocol = binary ? RT_PPID_BINARY : RT_PPID_STRING,
        .stream = channel->id,
        .unordered = !channel->ordered && channel->acknowledged,
        .max_retransmits = channel->max_retransmits,
        .lifetime = channel->max_lifetime_ms < 0 ? RT_NEVER : RT_MS(channel->max_lifetime_ms),
    };
    rt_span body = data;
    if (data.size == 0) {
        info.protocol = binary ? RT_PPID_BINARY_EMPTY : RT_PPID_STRING_EMPTY;
        body = rt_span_of(nothing, sizeof nothing);
    }
    rt_status status = rt_sctp_send(set->sctp, &info, body, now);
    if (status == RT_OK) {
        channel->messages_sent++;
        channel->bytes_sent += data.size;
        channel->given += body.size;
    } else if (status == RT_AGAIN) {
        set->room_wanted = true;
    }
    return status;
}

rt_status rt_channel_close(rt_channels *set, uint32_t handle, rt_time now)
{
    rt_channel *channel = find(set, handle);
    if (!channel)
        return RT_NOT_FOUND;
    if (channel->state < RT_CHANNEL_CLOSING)
        rt_channel_start_close(set, channel, false, now);
    return RT_OK;
}

uint32_t rt_channel_buffered(const rt_channels *set, uint32_t handle)
{
    const rt_channel *channel = find(set, handle);
    if (!channel || channel->state == RT_CHANNEL_CLOSED || channel->messages_sent == 0)
        return 0;
    uint32_t buffered = rt_sctp_buffered(set->sctp, channel->id);
    /* The channel's OPEN or ACK is the front of it, if it is still there; it is not the user's. */
    uint64_t gone = channel->given - buffered;
    uint32_t dcep = gone < channel->dcep_size ? (uint32_t)(channel->dcep_size - gone) : 0;
    return buffered - dcep;
}

rt_status rt_channel_set_buffered_low(rt_channels *set, uint32_t handle, uint32_t threshold)
{
    rt_channel *channel = find(set, handle);
    if (!channel)
        return RT_NOT_FOUND;
    channel->low_wanted = true;
    channel->low_threshold = threshold;
    if (channel->id != RT_CHANNEL_ID_NONE && channel->state != RT_CHANNEL_CLOSED)
        rt_sctp_set_buffered_low(set->sctp, channel->id, threshold);
    return RT_OK;
}

rt_status rt_channel_get(const rt_channels *set, uint32_t handle, rt_channel_info *out)
{
    const rt_channel *channel = find(set, handle);
    if (!channel)
        return RT_NOT_FOUND;
    *out = (rt_channel_info){
        .label = {channel->text, channel->label_size},
        .subprotocol = {channel->text + channel->label_size, channel->subprotocol_size},
        .state = (rt_channel_state)channel->state,
        .id = channel->id,
        .priority = channel->priority,
        .ordered = channel->ordered,
        .negotiated = channel->negotiated,
        .incoming = channel->incoming,
        .max_retransmits = channel->max_retransmits,
        .max_lifetime_ms = channel->max_lifetime_ms,
        .messages_sent = channel->messages_sent,
        .messages_received = channel->messages_received,
        .bytes_sent = channel->bytes_sent,
        .bytes_received = channel->bytes_received,
    };
    return RT_OK;
}

void rt_channel_forget(rt_channels *set, uint32_t handle)
{
    rt_channel *channel = find(set, handle);
    if (channel && channel->state == RT_CHANNEL_CLOSED && channel->events == 0)
        rt_channel_destroy(set, channel);
}

static void plain_event(rt_channel_event *out, rt_channel_event_type type, uint32_t handle)
{
    out->type = type;
    out->handle = handle;
    out->message = NULL;
    out->error = 0;
    out->text[0] = 0;
}

/* The first thing that a channel has to tell. */
static void channel_event(rt_channels *set, rt_channel *channel, rt_channel_event *out)
{
    uint8_t first = channel->events & (uint8_t)-channel->events;
    channel->events ^= first;
    if (channel->events == 0)
        rt_channel_unlink(&channel->telling);
    switch (first) {
    case PENDING_INCOMING: plain_event(out, RT_CHANNEL_EVENT_INCOMING, channel->handle); return;
    case PENDING_OPEN: plain_event(out, RT_CHANNEL_EVENT_OPEN, channel->handle); return;
    case PENDING_CLOSING: plain_event(out, RT_CHANNEL_EVENT_CLOSING, channel->handle); return;
    case PENDING_CLOSED:
        plain_event(out, RT_CHANNEL_EVENT_CLOSED, channel->handle);
        out->error = channel->error;
        rt_channel_copy_text(out->text, channel->reason ? channel->reason : set->end_text);
        return;
    }
    assert(!"a channel without an event in the list");
}

/* What is ready before the association is asked again; keeps the order in which things happened. */
static bool own_event(rt_channels *set, rt_channel_event *out)
{
    if (set->tell_connected && !set->tell_disconnected) {
        set->tell_connected = false;
        plain_event(out, RT_CHANNEL_EVENT_CONNECTED, 0);
        return true;
    }
    if (set->telling.next != &set->telling) {
        channel_event(set, CHANNEL_OF(set->telling.next, telling), out);
        return true;
    }
    if (set->tell_disconnected) {
        set->tell_disconnected = false;
        plain_event(out, RT_CHANNEL_EVENT_DISCONNECTED, 0);
        out->error = set->end_error;
        rt_channel_copy_text(out->text, set->end_text);
        return true;
    }
    if (set->tell_room) {
        set->tell_room = false;
        plain_event(out, RT_CHANNEL_EVENT_SEND_ROOM, 0);
        return true;
    }
    return false;
}

bool rt_channels_event(rt_channels *set, rt_channel_event *out, rt_time now)
{
    for (;;) {
        if (own_event(set, out))
            return true;
        rt_sctp_event event;
        if (rt_sctp_event_next(set->sctp, &event)) {
            if (rt_channel_translate(set, &event, out, now))
                return true;
        } else if (set->ending && !set->ended) {
            rt_channel_finish_all(set, set->end_error);
            set->connected = false;
            set->ended = set->tell_disconnected = true;
        } else {
            return false;
        }
    }
}

void rt_channels_release(rt_channels *set, size_t charge, rt_time now)
{
    rt_sctp_release(set->sctp, charge, now);
}

void rt_channels_end(rt_channels *set, uint16_t error, const char *text)
{
    if (set->ending || set->ended)
        return;
    set->ending = true;
    set->end_error = error;
    rt_channel_copy_text(set->end_text, text);
}

void rt_channels_get_stats(const rt_channels *set, rt_channels_stats *out)
{
    *out = set->stats;
}
