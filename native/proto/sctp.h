/* One SCTP association (RFC 9260) as WebRTC uses it over DTLS (RFC 8831), complete:
 * partial reliability (RFC 3758, 7496), stream reset (RFC 6525), interleaving with stream schedulers
 * (RFC 8260), zero checksum (RFC 9653), RACK-style loss detection with tail loss probes, path MTU
 * discovery (RFC 8899), association restart.
 *
 * Sans-IO, one thread at a time. Bounded: outgoing data by `send_buffer` (RT_AGAIN beyond it), incoming by
 * `receive_buffer` (advertised as a_rwnd; counts reassembly, undelivered messages and messages taken but
 * not yet released). A slow reader therefore slows the sender and loses nothing. A peer that ignores the
 * window gets no further: payload is held to `receive_buffer`, to twice that while an incomplete message is
 * waited for, and bookkeeping of tiny chunks to as much again: seven times `receive_buffer` at the very worst.
 *
 * Drive: feed a whole burst of datagrams, then drain transmit() and event(), then sleep until deadline(): a
 * large burst makes one SACK; one of up to 32 packets makes one for every second packet, since other stacks
 * send no faster than SACKs come.
 */
#ifndef RT_PROTO_SCTP_H
#define RT_PROTO_SCTP_H

#include "base/batch.h"
#include "base/message.h"
#include "base/random.h"
#include "base/span.h"
#include "base/status.h"
#include "base/time.h"

#define RT_SCTP_MTU_MIN 500
#define RT_SCTP_MTU_MAX 4096

typedef struct rt_sctp_config {
    rt_random *random;    /* borrowed */
    uint16_t local_port;  /* default 5000 */
    uint16_t remote_port; /* default 5000 */
    uint16_t mtu;         /* SCTP packet to begin with, default 1163 (1200 less DTLS); above MTU_MAX: that */
    /* Ceiling of path MTU discovery; equal to `mtu`: no probing (default). A chunk that was cut for a larger MTU
     * keeps its size, so data in flight does not survive a path whose MTU shrinks below it afterwards. */
    uint16_t max_mtu;
    uint16_t streams;                      /* asked for and offered, default 65535 */
    uint32_t receive_buffer;               /* default 4 MiB */
    uint32_t send_buffer;                  /* default 4 MiB: bytes accepted and not yet acknowledged or abandoned */
    uint32_t max_message_size;             /* the largest we take, default 1 MiB; larger ones abort the association */
    bool zero_checksum;                    /* offer (RFC 9653: DTLS below), default true */
    bool interleaving;                     /* offer I-DATA, default true */
    rt_time rto_initial, rto_min, rto_max; /* defaults 500 ms, 200 ms (RACK), 60 s */
    rt_time heartbeat;                     /* idle interval, default 30 s; RT_NEVER: none */
    rt_time sack_delay;                    /* default 20 ms, at most 500 */
    rt_time cookie_life;                   /* default 60 s */
    uint16_t max_retransmits;              /* association failure limit, default 10 */
    uint16_t max_init_retransmits;         /* default 8 */
} rt_sctp_config;

void rt_sctp_config_default(rt_sctp_config *config);

typedef struct rt_sctp rt_sctp;

rt_sctp *rt_sctp_new(const rt_sctp_config *config);
void rt_sctp_free(rt_sctp *sctp);

/* Sends INIT. In WebRTC both ends call it (simultaneous open, RFC 9260 section 5.2). */
rt_status rt_sctp_connect(rt_sctp *sctp, rt_time now);
/* SHUTDOWN after everything queued was delivered. */
rt_status rt_sctp_shutdown(rt_sctp *sctp, rt_time now);
/* ABORT with a user-initiated cause; everything queued is dropped. */
void rt_sctp_abort(rt_sctp *sctp, rt_span reason, rt_time now);

typedef struct rt_sctp_send_info {
    uint32_t protocol; /* PPID */
    uint16_t stream;
    bool unordered;
    int32_t max_retransmits; /* -1: no limit */
    rt_time lifetime;        /* RT_NEVER: no limit */
} rt_sctp_send_info;

/* The whole message or nothing of it; the bytes are copied. Accepted also while connecting.
 * RT_AGAIN: send_buffer is full (an empty buffer takes any message), RT_BUFFERED_LOW tells when to retry.
 * RT_TOO_LARGE, RT_INVALID (stream, empty), RT_CLOSED, RT_UNEXPECTED (the stream is being reset). */
rt_status rt_sctp_send(rt_sctp *sctp, const rt_sctp_send_info *info, rt_span data, rt_time now);
/* Priority of a stream in the scheduler (RFC 8831 section 6.4: 128, 256, 512, 1024), default 256. */
void rt_sctp_set_priority(rt_sctp *sctp, uint16_t stream, uint16_t priority);
/* The largest message that the peer takes (SDP max-message-size); 0: no limit. */
void rt_sctp_set_remote_max_message_size(rt_sctp *sctp, uint32_t size);

/* Payload bytes given to send() of this stream and not yet handed to the network for the first time
 * (W3C bufferedAmount); RT_SCTP_EVENT_BUFFERED_LOW fires when it falls to `threshold` or below. */
uint32_t rt_sctp_buffered(const rt_sctp *sctp, uint16_t stream);
void rt_sctp_set_buffered_low(rt_sctp *sctp, uint16_t stream, uint32_t threshold);
/* Room in the send buffer, bytes. */
uint32_t rt_sctp_send_room(const rt_sctp *sctp);

/* Resets outgoing streams, each after what was queued on it is acknowledged (RFC 6525 sections 5.1.2,
 * 5.2.2). Any number; more than one request is queued inside. */
rt_status rt_sctp_reset_stream(rt_sctp *sctp, uint16_t stream, rt_time now);

/* Messages taken by event() count against the receive window until they are released. */
void rt_sctp_release(rt_sctp *sctp, size_t bytes, rt_time now);

rt_status rt_sctp_receive(rt_sctp *sctp, rt_span packet, rt_time now);
size_t rt_sctp_transmit(rt_sctp *sctp, rt_batch *out, rt_time now);
rt_time rt_sctp_deadline(const rt_sctp *sctp);
void rt_sctp_expire(rt_sctp *sctp, rt_time now);

typedef enum rt_sctp_state { /* RFC 9260 section 4 */
                             RT_SCTP_CLOSED,
                             RT_SCTP_COOKIE_WAIT,
                             RT_SCTP_COOKIE_ECHOED,
                             RT_SCTP_ESTABLISHED,
                             RT_SCTP_SHUTDOWN_PENDING,
                             RT_SCTP_SHUTDOWN_SENT,
                             RT_SCTP_SHUTDOWN_RECEIVED,
                             RT_SCTP_SHUTDOWN_ACK_SENT,
} rt_sctp_state;

rt_sctp_state rt_sctp_get_state(const rt_sctp *sctp);
uint16_t rt_sctp_streams_out(const rt_sctp *sctp); /* agreed, 0 before */
uint16_t rt_sctp_streams_in(const rt_sctp *sctp);

typedef enum rt_sctp_event_type {
    RT_SCTP_EVENT_CONNECTED,
    RT_SCTP_EVENT_MESSAGE,      /* `message`, owned by the taker: rt_message_free, then rt_sctp_release */
    RT_SCTP_EVENT_BUFFERED_LOW, /* `stream` */
    RT_SCTP_EVENT_SEND_ROOM,    /* after RT_AGAIN: half of the send buffer is free again */
    RT_SCTP_EVENT_RESET_IN,     /* the peer reset `stream`; everything before was delivered */
    RT_SCTP_EVENT_RESET_OUT,    /* our reset of `stream` is done; it starts again at sequence 0 */
    RT_SCTP_EVENT_RESET_FAILED, /* the peer refused it: `stream` */
    RT_SCTP_EVENT_RESTARTED,    /* the peer began anew: what was in flight may be lost */
    RT_SCTP_EVENT_ABANDONED,    /* a partially reliable message of `stream` was given up */
    RT_SCTP_EVENT_CLOSED,       /* after shutdown, abort or failure: `error`, `text` */
} rt_sctp_event_type;

typedef struct rt_sctp_event {
    rt_sctp_event_type type;
    uint16_t stream;
    uint16_t error; /* CLOSED: 0 for a graceful end, else RFC 9260 error cause code; 0xffff: timed out */
    rt_message *message;
    char text[64];
} rt_sctp_event;

bool rt_sctp_event_next(rt_sctp *sctp, rt_sctp_event *out);

typedef struct rt_sctp_stats {
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received;       /* SCTP packets */
    uint64_t messages_sent, messages_received, payload_sent, payload_received; /* first transmissions */
    uint64_t chunks_retransmitted, fast_retransmits, timeouts, tail_probes, spurious_retransmits;
    uint64_t messages_abandoned, duplicate_chunks;
    uint64_t malformed, bad_checksum, bad_tag, unexpected, out_of_window; /* dropped, by reason */
    uint32_t congestion_window, slow_start_threshold, peer_window, bytes_in_flight, unsent, mtu;
    rt_time smoothed_round_trip, rto; /* smoothed_round_trip 0: unknown */
    uint32_t receive_buffered;
    bool zero_checksum_in, zero_checksum_out, interleaving, partial_reliability, stream_reset;
} rt_sctp_stats;

void rt_sctp_get_stats(const rt_sctp *sctp, rt_sctp_stats *out);

#endif
