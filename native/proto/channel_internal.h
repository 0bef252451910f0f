/* What the files of proto/channel share: the channel, the set, and the steps of a channel's life.
 *
 *   channel.c          the calls of the owner
 *   channel_life.c     ids, opening, closing, and the events that come of it
 *   channel_receive.c  what the association reports
 *
 * A channel is in the set's map by handle from its creation until it is forgotten, and in its table of
 * streams while its stream is in use: from the choice of the id until both directions are reset.
 *
 *              OPEN sent / received           close, or the peer's reset        both directions reset
 *   CONNECTING ---------------------> OPEN ----------------------------> CLOSING ----------------> CLOSED
 *
 * A channel of ours is open as soon as its OPEN message is with the association: what follows is ordered
 * behind it until the ACK (RFC 8832 section 6), so no round trip is lost.
 */
#ifndef RT_PROTO_CHANNEL_INTERNAL_H
#define RT_PROTO_CHANNEL_INTERNAL_H

#include "base/map.h"
#include "proto/channel.h"
#include "proto/channel_streams.h"

typedef struct rt_channel_link {
    struct rt_channel_link *previous, *next; /* both NULL: in no list */
} rt_channel_link;

enum { /* rt_channel.events: told in this order */
       PENDING_INCOMING = 1,
       PENDING_OPEN = 2,
       PENDING_CLOSING = 4,
       PENDING_CLOSED = 8,
};

typedef struct rt_channel {
    rt_channel_link all;     /* in rt_channels.all, in order of creation */
    rt_channel_link owing;   /* in rt_channels.owing while its OPEN or ACK is not with the association */
    rt_channel_link telling; /* in rt_channels.telling while `events` is not 0 */

    uint32_t handle; /* 0: refused, and never shown: it lives until its stream is reset */
    uint16_t id;
    uint16_t priority;
    int32_t max_retransmits, max_lifetime_ms;
    uint32_t low_threshold;
    uint8_t state;  /* rt_channel_state */
    uint8_t events; /* PENDING_... */

    bool ordered : 1, negotiated : 1, incoming : 1;
    bool acknowledged : 1; /* the peer knows the channel: unordered delivery may begin */
    bool told : 1;         /* INCOMING or OPEN was told, or is in `events` */
    bool low_wanted : 1;
    bool reset_wanted : 1;    /* our reset waits: for our ACK, or for that of the stream's last channel */
    bool reset_requested : 1; /* the association works on our reset */
    bool reset_in : 1;        /* the peer's direction is reset */
    bool stream_busy : 1;     /* the reset of the stream's last channel is not confirmed yet */

    uint16_t error;
    const char *reason; /* static text, or NULL: the set's `end_text` */

    rt_message *partial; /* parts of a message in the deprecated form (RFC 8831 section 6.6) */
    uint64_t given;      /* bytes given to the association on this stream, DCEP included */
    uint32_t dcep_size;  /* of them the OPEN or ACK, which went first */
    uint16_t label_size, subprotocol_size;
    uint64_t messages_sent, messages_received, bytes_sent, bytes_received;
    uint8_t text[]; /* label, then subprotocol */
} rt_channel;

#define CHANNEL_OF(link, member) ((rt_channel *)(void *)((char *)(link) - offsetof(rt_channel, member)))

struct rt_channels {
    rt_sctp *sctp;
    rt_map by_handle;
    rt_channel_streams streams;
    rt_channel_link all, owing, telling; /* heads */
    uint32_t last_handle;
    uint32_t max_incoming, incoming; /* channels of the peer that are not forgotten */
    uint32_t incoming_text;          /* bytes of their labels and subprotocols */

    bool role_known, dtls_client;
    bool connected;     /* the association is up */
    bool ending, ended; /* the end was ordered; all is closed */
    bool room_wanted;   /* somebody was told RT_AGAIN */
    bool tell_connected, tell_disconnected, tell_room;
    uint16_t end_error;
    char end_text[64];
    rt_channels_stats stats;
};

static inline bool rt_channel_linked(const rt_channel_link *link)
{
    return link->next != NULL;
}

static inline void rt_channel_append(rt_channel_link *head, rt_channel_link *link)
{
    link->previous = head->previous;
    link->next = head;
    head->previous->next = link;
    head->previous = link;
}

static inline void rt_channel_unlink(rt_channel_link *link)
{
    if (!link->next)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    *link = (rt_channel_link){NULL, NULL};
}

static inline rt_channel *rt_channel_on(const rt_channels *set, uint16_t stream)
{
    return rt_channel_streams_get(&set->streams, stream);
}

static inline void rt_channel_copy_text(char out[64], const char *text)
{
    size_t size = strnlen(text, 63);
    memcpy(out, text, size);
    out[size] = 0;
}

/* channel_life.c */
rt_channel *rt_channel_create(rt_channels *set, rt_span label, rt_span subprotocol, bool shown);
void rt_channel_destroy(rt_channels *set, rt_channel *channel);
rt_status rt_channel_take_id(rt_channels *set, rt_channel *channel, uint16_t id); /* RT_EXISTS, RT_NO_MEMORY */
rt_status rt_channel_choose_id(rt_channels *set, rt_channel *channel);            /* RT_AGAIN: none is free */
/* What the association is to know of the channel's stream; a reset makes it forget. */
void rt_channel_configure(rt_channels *set, const rt_channel *channel);
void rt_channel_tell(rt_channels *set, rt_channel *channel, uint8_t event);
/* Our OPEN or ACK goes to the association, or waits in `owing`. */
void rt_channel_announce(rt_channels *set, rt_channel *channel, rt_time now);
void rt_channel_announce_all(rt_channels *set, rt_time now);
/* OPEN or CONNECTING to CLOSING; our direction is reset after what is queued in it. */
void rt_channel_start_close(rt_channels *set, rt_channel *channel, bool by_peer, rt_time now);
/* Our direction is reset, now or when it can be. */
void rt_channel_reset(rt_channels *set, rt_channel *channel, rt_time now);
/* To CLOSED at once. `burn`: the stream id stays out of use. */
void rt_channel_finish(rt_channels *set, rt_channel *channel, uint16_t error, const char *reason, bool burn);
/* All channels to CLOSED. */
void rt_channel_finish_all(rt_channels *set, uint16_t error);

/* channel_receive.c: true when `out` was filled. */
bool rt_channel_translate(rt_channels *set, rt_sctp_event *event, rt_channel_event *out, rt_time now);

#endif
