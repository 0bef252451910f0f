/* Data channels (RFC 8831, 8832) on one SCTP association: opening in band or negotiated, types of
 * reliability, strings and binary and their empty forms, stream ids by DTLS role, closing by stream reset.
 *
 * A channel is named by a handle, given at creation, before its stream id is known (that takes the DTLS
 * role). Handles are not reused while the set lives. Sans-IO like the association below, which it drives:
 * its owner feeds packets to rt_sctp_receive, then takes events here (never from the association).
 */
#ifndef RT_PROTO_CHANNEL_H
#define RT_PROTO_CHANNEL_H

#include "proto/sctp.h"

#define RT_CHANNEL_ID_NONE 65535 /* not a valid stream id (RFC 8832 section 6) */
#define RT_CHANNEL_LABEL_MAX 65535
#define RT_CHANNEL_TEXT_MAX (4u << 20) /* bytes of labels and subprotocols that the peer can make us keep */
#define RT_CHANNEL_FAILED 0xfffe       /* `error` of CLOSED: this channel alone failed; `text` says why */

typedef enum rt_channel_state { /* W3C RTCDataChannelState */
                                RT_CHANNEL_CONNECTING,
                                RT_CHANNEL_OPEN,
                                RT_CHANNEL_CLOSING,
                                RT_CHANNEL_CLOSED,
} rt_channel_state;

typedef struct rt_channel_options {
    rt_span label;       /* UTF-8, copied */
    rt_span subprotocol; /* UTF-8, copied */
    bool ordered;
    bool negotiated;         /* no DCEP; `id` is given */
    uint16_t id;             /* RT_CHANNEL_ID_NONE: chosen by role once it is known */
    int32_t max_retransmits; /* -1: not set */
    int32_t max_lifetime_ms; /* -1: not set; not both */
    uint16_t priority;       /* 128, 256, 512, 1024; 0 means 256 */
} rt_channel_options;

typedef struct rt_channels rt_channels;

/* `sctp` is borrowed and must outlive the set. `max_channels` bounds what the peer can open (default by
 * passing 0: 65535), and so does RT_CHANNEL_TEXT_MAX: further ones are refused by a reset of their stream. */
rt_channels *rt_channels_new(rt_sctp *sctp, uint32_t max_channels);
void rt_channels_free(rt_channels *channels);

/* Clients use even ids, servers odd ones (RFC 8832 section 6). Channels waiting for an id get one. */
void rt_channels_set_role(rt_channels *channels, bool dtls_client, rt_time now);

/* Before or after the association is up. RT_INVALID, RT_EXISTS (id in use), RT_AGAIN (no id is free). */
rt_status rt_channel_open(rt_channels *channels, const rt_channel_options *options, uint32_t *handle, rt_time now);
/* RT_AGAIN when the send buffer is full, RT_TOO_LARGE, RT_UNEXPECTED unless open. Empty messages are fine. */
rt_status rt_channel_send(rt_channels *channels, uint32_t handle, rt_span data, bool binary, rt_time now);
/* Delivers what is queued, then resets the stream; CLOSED follows when the peer has answered with its own
 * reset. Messages that arrive until then are still events. Idempotent. */
rt_status rt_channel_close(rt_channels *channels, uint32_t handle, rt_time now);
/* Bytes of messages that were not yet handed to the network for the first time (W3C bufferedAmount). */
uint32_t rt_channel_buffered(const rt_channels *channels, uint32_t handle);
/* BUFFERED_LOW is told from here on, when that amount falls to the threshold or below. */
rt_status rt_channel_set_buffered_low(rt_channels *channels, uint32_t handle, uint32_t threshold);

typedef struct rt_channel_info {
    rt_span label, subprotocol; /* borrowed until the channel is forgotten */
    rt_channel_state state;
    uint16_t id;
    uint16_t priority;
    bool ordered, negotiated, incoming;
    int32_t max_retransmits, max_lifetime_ms;
    uint64_t messages_sent, messages_received, bytes_sent, bytes_received;
} rt_channel_info;

rt_status rt_channel_get(const rt_channels *channels, uint32_t handle, rt_channel_info *out);
/* After CLOSED was taken: frees what is kept for statistics. */
void rt_channel_forget(rt_channels *channels, uint32_t handle);

typedef enum rt_channel_event_type {
    RT_CHANNEL_EVENT_INCOMING,     /* the peer opened `handle`; open from here on */
    RT_CHANNEL_EVENT_OPEN,         /* `handle` of ours is open */
    RT_CHANNEL_EVENT_MESSAGE,      /* `message` (owned by the taker), `binary`; rt_channels_release(charge) after */
    RT_CHANNEL_EVENT_BUFFERED_LOW, /* `handle` */
    RT_CHANNEL_EVENT_SEND_ROOM,    /* after RT_AGAIN from any channel */
    RT_CHANNEL_EVENT_CLOSING,      /* the peer closes `handle` */
    RT_CHANNEL_EVENT_CLOSED,       /* `handle`; `error` and `text` if it was not a close of either side */
    RT_CHANNEL_EVENT_CONNECTED,    /* the association is up: rt_sctp_streams_out() */
    RT_CHANNEL_EVENT_DISCONNECTED, /* the association ended: `error`, `text`; all channels closed before */
} rt_channel_event_type;

typedef struct rt_channel_event {
    rt_channel_event_type type;
    uint32_t handle;
    rt_message *message;
    bool binary;
    uint32_t charge; /* of the message, to the receive window: its size, 1 when it is empty */
    uint16_t error;
    char text[64];
} rt_channel_event;

bool rt_channels_event(rt_channels *channels, rt_channel_event *out, rt_time now);
/* The application has consumed messages that were charged with so much together. */
void rt_channels_release(rt_channels *channels, size_t charge, rt_time now);

/* The transport below is gone for good (DTLS closed or failed): what has arrived is still told, then all
 * channels close, then DISCONNECTED with `error` and `text`. The association is left as it is. */
void rt_channels_end(rt_channels *channels, uint16_t error, const char *text);

typedef struct rt_channels_stats {
    uint64_t opened, closed;        /* W3C dataChannelsOpened, dataChannelsClosed */
    uint64_t malformed, unexpected; /* DCEP messages or data dropped */
    uint64_t refused;               /* opens beyond max_channels or RT_CHANNEL_TEXT_MAX */
} rt_channels_stats;

void rt_channels_get_stats(const rt_channels *channels, rt_channels_stats *out);

#endif
