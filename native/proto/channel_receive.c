#include "proto/channel_internal.h"

#include "wire/dcep.h"

#include <string.h>

/* A message in the deprecated form in parts may not grow beyond this; the association bounds others. */
enum { PARTIAL_MAX = 1 << 20 };

static void drop(rt_channels *set, rt_message *message, rt_time now)
{
    rt_sctp_release(set->sctp, message->size, now);
    rt_message_free(message);
}

static void drop_partial(rt_channels *set, rt_channel *channel, rt_time now)
{
    if (channel->partial)
        drop(set, channel->partial, now);
    channel->partial = NULL;
}

/* A stream whose OPEN we do not take is reset (RFC 8832 section 6); until that is done a channel that
 * nobody sees holds the stream. */
static void refuse(rt_channels *set, uint16_t stream, rt_time now)
{
    rt_channel *channel = rt_channel_create(set, (rt_span){0}, (rt_span){0}, false);
    if (!channel)
        return;
    channel->incoming = true;
    if (rt_channel_take_id(set, channel, stream) != RT_OK) {
        rt_channel_destroy(set, channel);
        return;
    }
    rt_channel_start_close(set, channel, false, now);
}

static int32_t limited(uint32_t value)
{
    return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

static void accept_open(rt_channels *set, uint16_t stream, const rt_dcep_open *open, bool stream_busy, rt_time now)
{
    rt_channel *channel = rt_channel_create(set, open->label, open->protocol, true);
    if (!channel) {
        refuse(set, stream, now);
        return;
    }
    set->incoming++;
    set->incoming_text += (uint32_t)(open->label.size + open->protocol.size);
    channel->incoming = channel->acknowledged = channel->told = true;
    channel->stream_busy = stream_busy;
    channel->ordered = !open->unordered;
    if (open->priority)
        channel->priority = open->priority;
    if (open->reliability == RT_DCEP_RETRANSMITS)
        channel->max_retransmits = limited(open->parameter);
    else if (open->reliability == RT_DCEP_LIFETIME)
        channel->max_lifetime_ms = limited(open->parameter);
    if (rt_channel_take_id(set, channel, stream) != RT_OK) {
        set->stats.unexpected++; /* a stream whose reset the peer refused stays out of use */
        rt_channel_destroy(set, channel);
        return;
    }
    channel->state = RT_CHANNEL_OPEN;
    set->stats.opened++;
    rt_channel_tell(set, channel, PENDING_INCOMING);
    rt_channel_announce(set, channel, now);
}

static void receive_open(rt_channels *set, uint16_t stream, rt_span message, rt_time now)
{
    rt_channel *old = rt_channel_on(set, stream);
    bool stream_busy = false;
    if (old && old->reset_in && old->reset_requested) {
        /* The peer could reuse the stream only after it did our reset: merely its answer is still missing. */
        rt_channel_finish(set, old, 0, "", false);
        stream_busy = true;
    } else if (old) {
        set->stats.unexpected++;
        if (old->state < RT_CHANNEL_CLOSING) {
            old->error = RT_CHANNEL_FAILED;
            old->reason = "the peer opened a channel on this stream, which is in use";
            rt_channel_start_close(set, old, true, now);
        }
        return;
    }
    bool ours = set->role_known && (stream & 1) == (set->dtls_client ? 0 : 1);
    rt_dcep_open open;
    if (rt_dcep_read_open(message, &open) != RT_OK) {
        set->stats.malformed++;
        refuse(set, stream, now);
    } else if (ours || stream >= rt_sctp_streams_out(set->sctp)) {
        set->stats.unexpected++;
        refuse(set, stream, now);
    } else if (set->incoming >= set->max_incoming ||
               open.label.size + open.protocol.size > RT_CHANNEL_TEXT_MAX - set->incoming_text) {
        set->stats.refused++;
        refuse(set, stream, now);
    } else {
        accept_open(set, stream, &open, stream_busy, now);
    }
}

static void receive_dcep(rt_channels *set, uint16_t stream, rt_span message, rt_time now)
{
    rt_channel *channel = rt_channel_on(set, stream);
    switch (rt_dcep_type_of(message)) {
    case RT_DCEP_OPEN: receive_open(set, stream, message, now); return;
    case RT_DCEP_ACK:
        if (rt_dcep_read_ack(message) != RT_OK)
            set->stats.malformed++;
        else if (!channel || channel->incoming || channel->negotiated)
            set->stats.unexpected++;
        else
            channel->acknowledged = true;
        return;
    default: set->stats.malformed++; return;
    }
}

/* Parts of a message in the deprecated form: all but the last have their own protocol identifier. Only
 * reliable ordered channels could use it. False: dropped, or more is to come; `*message` is gone. */
static bool assemble(rt_channels *set, rt_channel *channel, rt_message **message, bool last, rt_time now)
{
    bool whole = channel->ordered && channel->max_retransmits < 0 && channel->max_lifetime_ms < 0;
    size_t have = channel->partial ? channel->partial->size : 0;
    if (!whole || have + (*message)->size > PARTIAL_MAX) {
        set->stats.unexpected++;
        drop(set, *message, now);
        drop_partial(set, channel, now);
        return false;
    }
    if (!channel->partial) {
        channel->partial = *message;
        return false;
    }
    /* Grows twofold, so that many small parts cost little. */
    size_t need = have + (*message)->size;
    size_t capacity = channel->partial->capacity;
    rt_message *grown = rt_message_grow(channel->partial, need <= capacity ? capacity : need * 2);
    if (!grown) {
        drop(set, *message, now);
        drop_partial(set, channel, now);
        return false;
    }
    memcpy(grown->data + have, (*message)->data, (*message)->size);
    grown->size = need;
    channel->partial = grown;
    rt_message_free(*message);
    if (!last)
        return false;
    *message = grown;
    channel->partial = NULL;
    return true;
}

static bool receive_data(rt_channels *set, rt_message *message, rt_channel_event *out, rt_time now)
{
    rt_channel *channel = rt_channel_on(set, message->stream);
    bool open = channel && channel->handle && !channel->reset_in &&
                (channel->state == RT_CHANNEL_OPEN || channel->state == RT_CHANNEL_CLOSING);
    if (!open) {
        set->stats.unexpected++;
        drop(set, message, now);
        return false;
    }
    channel->acknowledged = true; /* by anything that comes (RFC 8832 section 6) */

    bool binary = true, empty = false;
    switch (message->protocol) {
    case RT_PPID_STRING: binary = false; break;
    case RT_PPID_BINARY: break;
    case RT_PPID_STRING_EMPTY: binary = false; /* fall through */
    case RT_PPID_BINARY_EMPTY: empty = true; break;
    case RT_PPID_STRING_PARTIAL:
    case RT_PPID_BINARY_PARTIAL: (void)assemble(set, channel, &message, false, now); return false;
    default:
        set->stats.unexpected++;
        drop(set, message, now);
        return false;
    }
    if (channel->partial) {
        if (empty) {
            rt_sctp_release(set->sctp, message->size, now);
            message->size = 0;
        }
        if (!assemble(set, channel, &message, true, now))
            return false;
        empty = false;
    }
    out->charge = (uint32_t)message->size;
    if (empty)
        message->size = 0;
    channel->messages_received++;
    channel->bytes_received += message->size;
    out->type = RT_CHANNEL_EVENT_MESSAGE;
    out->handle = channel->handle;
    out->message = message;
    out->binary = binary;
    out->error = 0;
    out->text[0] = 0;
    return true;
}

static void receive_reset_in(rt_channels *set, uint16_t stream, rt_time now)
{
    rt_channel *channel = rt_channel_on(set, stream);
    if (!channel || channel->state == RT_CHANNEL_CONNECTING)
        return; /* of a stream that has no channel, or none that the peer can know */
    channel->reset_in = true;
    drop_partial(set, channel, now);
    if (channel->state == RT_CHANNEL_OPEN) {
        if (!channel->acknowledged && channel->error == 0) {
            channel->error = RT_CHANNEL_FAILED;
            channel->reason = "the peer refused the channel";
        }
        rt_channel_start_close(set, channel, true, now);
    } else if (!channel->reset_requested && !channel->reset_wanted) {
        rt_channel_finish(set, channel, 0, "", false);
    }
}

/* Whoever was told RT_AGAIN tries again, and is told again if it was too early. */
static void grant_room(rt_channels *set)
{
    set->tell_room |= set->room_wanted;
    set->room_wanted = false;
}

static void receive_reset_out(rt_channels *set, uint16_t stream, rt_time now)
{
    rt_channel *channel = rt_channel_on(set, stream);
    if (!channel)
        return;
    if (channel->stream_busy) { /* of the stream's last channel; this one's turn has come */
        channel->stream_busy = false;
        rt_channel_configure(set, channel);
        if (channel->reset_wanted)
            rt_channel_reset(set, channel, now); /* unless its ACK waits */
        rt_channel_announce_all(set, now);
        grant_room(set);
        return;
    }
    if (!channel->reset_requested) {
        rt_channel_configure(set, channel); /* the peer asked for it: the association forgot the stream */
        return;
    }
    channel->reset_requested = false;
    if (channel->reset_in)
        rt_channel_finish(set, channel, 0, "", false);
}

static void receive_reset_failed(rt_channels *set, uint16_t stream, rt_time now)
{
    rt_channel *channel = rt_channel_on(set, stream);
    if (!channel)
        return;
    drop_partial(set, channel, now);
    rt_channel_finish(set, channel, RT_CHANNEL_FAILED, "the peer refused to reset the stream", true);
}

static void end(rt_channels *set, uint16_t error, const char *text)
{
    set->connected = false;
    set->end_error = error;
    rt_channel_copy_text(set->end_text, text);
    rt_channel_finish_all(set, error);
    set->tell_disconnected = true;
}

static void connected(rt_channels *set, rt_time now)
{
    set->connected = set->tell_connected = true;
    rt_channel_announce_all(set, now);
}

bool rt_channel_translate(rt_channels *set, rt_sctp_event *event, rt_channel_event *out, rt_time now)
{
    switch (event->type) {
    case RT_SCTP_EVENT_MESSAGE:
        if (event->message->protocol != RT_PPID_DCEP)
            return receive_data(set, event->message, out, now);
        receive_dcep(set, event->message->stream, rt_span_of(event->message->data, event->message->size), now);
        drop(set, event->message, now);
        return false;
    case RT_SCTP_EVENT_CONNECTED: connected(set, now); return false;
    case RT_SCTP_EVENT_BUFFERED_LOW: {
        rt_channel *channel = rt_channel_on(set, event->stream);
        if (!channel || !channel->low_wanted || channel->messages_sent == 0)
            return false;
        out->type = RT_CHANNEL_EVENT_BUFFERED_LOW;
        out->handle = channel->handle;
        out->message = NULL;
        out->error = 0;
        out->text[0] = 0;
        return true;
    }
    case RT_SCTP_EVENT_SEND_ROOM:
        rt_channel_announce_all(set, now);
        grant_room(set);
        return false;
    case RT_SCTP_EVENT_RESET_IN: receive_reset_in(set, event->stream, now); return false;
    case RT_SCTP_EVENT_RESET_OUT: receive_reset_out(set, event->stream, now); return false;
    case RT_SCTP_EVENT_RESET_FAILED: receive_reset_failed(set, event->stream, now); return false;
    case RT_SCTP_EVENT_RESTARTED:
        /* The peer has forgotten its channels, and messages may be lost: none of ours can go on. */
        end(set, RT_CHANNEL_FAILED, "the peer restarted the association");
        connected(set, now);
        return false;
    case RT_SCTP_EVENT_ABANDONED: return false;
    case RT_SCTP_EVENT_CLOSED:
        end(set, event->error, event->text);
        set->ended = true;
        return false;
    }
    return false;
}
