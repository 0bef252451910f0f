/* The association's insides, shared by the files proto/sctp*.c.
 *
 *   sctp.c             the public calls, events, the end of an association
 *   sctp_handshake.c   INIT to COOKIE ACK, collisions, restart (RFC 9260 section 5)
 *   sctp_cookie.c      the state cookie (section 5.1.3)
 *   sctp_shutdown.c    SHUTDOWN to SHUTDOWN COMPLETE (section 9)
 *   sctp_receive.c     packets and chunks coming in, DATA, when to SACK (sections 6.2, 8)
 *   sctp_recovery.c    SACKs coming in, losses, timers T3 and probe (sections 6.3, 7)
 *   sctp_transmit.c    packets going out (sections 6.1, 6.9, 6.10)
 *   sctp_reset.c       stream reset (RFC 6525)
 *   sctp_path.c        heartbeats, path MTU (section 8.3, RFC 8899)
 *
 * and pieces that know nothing of the association: sctp_queue (messages waiting, scheduler), sctp_outstanding
 * (chunks sent), sctp_congestion, sctp_tracker (TSNs arrived), sctp_reassembly with its sctp_nodes.
 */
#ifndef RT_PROTO_SCTP_INTERNAL_H
#define RT_PROTO_SCTP_INTERNAL_H

#include "base/crypto.h"
#include "base/ring.h"
#include "base/seq.h"
#include "proto/sctp.h"
#include "proto/sctp_congestion.h"
#include "proto/sctp_outstanding.h"
#include "proto/sctp_queue.h"
#include "proto/sctp_reassembly.h"
#include "proto/sctp_tracker.h"
#include "wire/sctp.h"

#define RT_SCTP_TIMED_OUT 0xffff
#define RT_SCTP_CONTROL_ROOM RT_SCTP_MTU_MAX /* stack memory in which a control chunk's value is put together */

typedef enum rt_sctp_timer {
    RT_SCTP_TIMER_T1,        /* INIT or COOKIE ECHO again */
    RT_SCTP_TIMER_T2,        /* SHUTDOWN or SHUTDOWN ACK again */
    RT_SCTP_TIMER_T3,        /* everything outstanding again */
    RT_SCTP_TIMER_REORDER,   /* chunks become lost */
    RT_SCTP_TIMER_PROBE,     /* tail loss probe */
    RT_SCTP_TIMER_WINDOW,    /* zero-window probe */
    RT_SCTP_TIMER_PACE,      /* tokens for another run */
    RT_SCTP_TIMER_SACK,      /* delayed acknowledgement */
    RT_SCTP_TIMER_HEARTBEAT, /* idle, or its answer is late */
    RT_SCTP_TIMER_MTU,       /* the answer to an MTU probe is late, or the next search */
    RT_SCTP_TIMER_RESET,     /* stream reset request again */
    RT_SCTP_TIMERS,
} rt_sctp_timer;

/* What both ends can do, agreed in INIT and INIT ACK. */
typedef struct rt_sctp_abilities {
    bool forward_tsn;
    bool reset;
    bool interleaving;
    bool zero_checksum; /* the peer takes it */
} rt_sctp_abilities;

/* A control packet, complete but for the checksum. */
typedef struct rt_sctp_control {
    struct rt_sctp_control *next;
    uint16_t size;
    bool sealed; /* needs a checksum in any case (RFC 9653 section 5.2) */
    uint8_t data[];
} rt_sctp_control;

typedef struct rt_sctp_happening { /* an event that waits to be taken */
    rt_message *message;
    uint16_t type;
    uint16_t stream;
} rt_sctp_happening;

/* What a SACK would have said in the middle of a burst. Other stacks send four packets per SACK at the most and
 * open their window by one packet per SACK: one SACK for the four would hold them there for ever, whatever the
 * round trip. So small bursts are acknowledged as RFC 9260 section 6.2 has it, every second packet, and every
 * one when something is missing. A large burst proves that its sender does not live on single SACKs: it gets
 * one, which is what makes the fast path fast. */
#define RT_SCTP_SMALL_BURST 32

typedef struct rt_sctp_sack_point {
    uint32_t cumulative, highest; /* TSNs; the same when nothing was missing */
} rt_sctp_sack_point;

typedef struct rt_sctp_path {
    uint32_t heartbeat_nonce; /* of the heartbeat that is out, 0: none */
    rt_time heartbeat_sent;
    uint16_t probe_size; /* of the MTU probe that is out, 0: none */
    uint32_t probe_nonce;
    uint16_t search_low, search_high; /* largest that passed, smallest that did not */
    uint8_t probe_tries;
    uint8_t timeouts; /* T3 one after the other: a black hole? */
} rt_sctp_path;

typedef struct rt_sctp_resets {
    /* Ours. */
    uint32_t next_request;
    bool pending;         /* a request is out */
    uint32_t request;     /* its number */
    uint32_t request_tsn; /* its last assigned TSN */
    bool in_progress;     /* so the peer said */
    uint16_t *streams;    /* in it */
    size_t stream_count, room;
    uint32_t wanted; /* streams in RT_SCTP_RESET_WANTED */
    uint16_t *queue; /* those, in the order asked for */
    size_t queue_count, queue_capacity;
    uint32_t attempts;
    /* The peer's. */
    uint32_t expected; /* number of its next request */
    uint32_t last_result;
    bool deferred; /* waits for TSNs up to: */
    uint32_t deferred_tsn;
    uint16_t *deferred_streams;
    size_t deferred_count; /* 0: all */
} rt_sctp_resets;

struct rt_sctp {
    rt_sctp_config config;
    rt_sctp_state state;
    bool ended; /* CLOSED for good */
    bool shutdown_wanted;
    uint16_t end_error;
    char end_text[64];

    uint32_t my_tag, peer_tag;
    uint32_t my_tsn; /* initial */
    uint16_t streams_out, streams_in;
    rt_sctp_abilities abilities;
    rt_hmac *cookie_key;
    uint8_t *cookie; /* the peer's, to be echoed */
    uint16_t cookie_size;
    uint32_t cookie_extension; /* ms asked for after a stale cookie */
    uint32_t attempts;         /* of the handshake, or of the shutdown */

    rt_time timers[RT_SCTP_TIMERS];
    uint32_t errors;  /* one after the other without an answer */
    uint32_t backoff; /* doublings of the RTO */
    rt_time srtt, rttvar, rto;

    /* Sending. */
    rt_sctp_queue queue;
    rt_sctp_outstanding outstanding;
    rt_sctp_congestion congestion;
    uint64_t send_buffered; /* bytes and costs of messages accepted */
    bool room_wanted;       /* RT_AGAIN was answered */
    uint32_t remote_max_message_size;
    uint32_t peer_window; /* a_rwnd as last told */
    uint16_t mtu;
    bool recovering, reduced; /* in loss recovery; the window was reduced for it */
    uint32_t recovery_end;    /* it ends when this TSN is acknowledged */
    uint32_t undo_left;       /* retransmissions in it that did not prove needless */
    bool undo_valid;
    uint32_t resent[64]; /* the last retransmitted TSNs, to know needless ones */
    uint32_t resent_count;
    bool probe;        /* a tail loss probe is to be sent */
    bool probe_out;    /* one is out: no other until something new is acknowledged */
    bool probe_resent; /* it repeated `probe_tsn` */
    uint32_t probe_tsn;
    rt_time probe_extra;  /* how long the peer may delay a lonely acknowledgement */
    bool window_probe;    /* one chunk may ignore the peer's window */
    bool forward_due;     /* FORWARD-TSN is to be sent */
    uint32_t forward_tsn; /* the last one sent */

    /* Receiving. */
    rt_sctp_tracker tracker;
    rt_sctp_reassembly reassembly;
    uint64_t undelivered;          /* bytes and costs of messages in events */
    uint64_t undelivered_messages; /* their number */
    uint64_t taken, taken_cost;    /* of messages taken and not released */
    uint32_t advertised;           /* a_rwnd last told */
    bool sack_now;
    uint32_t sack_packets; /* with data, since the last SACK */
    rt_sctp_sack_point sack_points[RT_SCTP_SMALL_BURST / 2];
    uint32_t sack_point_count;

    rt_ring events;  /* of rt_sctp_happening */
    bool event_lost; /* there was no room for one */
    rt_sctp_control *controls, *controls_last;
    uint32_t control_count;
    rt_sctp_path path;
    rt_sctp_resets resets;
    rt_sctp_stats stats;
};

/* sctp.c */
void rt_sctp_push_event(rt_sctp *s, rt_sctp_event_type type, uint16_t stream, rt_message *message);
/* An event that is lost is a promise broken: the end of the association. Not where it is lost, in the middle of
 * something whose memory the end frees, but here: each call that makes many events closes with this. */
void rt_sctp_settle_events(rt_sctp *s);
void rt_sctp_push_messages(rt_sctp *s); /* what reassembly has ready */
/* The end: everything queued is dropped, CLOSED is the last event. */
void rt_sctp_end(rt_sctp *s, uint16_t error, const char *text);
void rt_sctp_abort_with(rt_sctp *s, uint16_t cause, rt_span info, const char *text);
/* One more failure without an answer; true if it was the last one allowed, and the association has ended. */
bool rt_sctp_count_error(rt_sctp *s, const char *text);
/* Bytes went out of the send buffer. */
void rt_sctp_free_buffer(rt_sctp *s, uint64_t bytes, uint32_t messages);
rt_time rt_sctp_backed_off(const rt_sctp *s, rt_time base, uint32_t doublings);
bool rt_sctp_is_open(const rt_sctp *s);    /* ESTABLISHED or closing */
uint32_t rt_sctp_window(const rt_sctp *s); /* a_rwnd by now */

static inline void rt_sctp_set(rt_sctp *s, rt_sctp_timer timer, rt_time at)
{
    s->timers[timer] = at;
}

/* sctp_transmit.c: a packet of one chunk of control, queued until the next transmit. Bounded: beyond a few
 * the newest is dropped, every one of them is repeated by somebody's timer. */
void rt_sctp_control_chunk(rt_sctp *s, uint32_t tag, uint8_t type, uint8_t flags, rt_span value, bool sealed);
void rt_sctp_control_packet(rt_sctp *s, rt_span packet, bool sealed);
void rt_sctp_control_clear(rt_sctp *s);

/* sctp_cookie.c */
#define RT_SCTP_COOKIE_SIZE 64

typedef struct rt_sctp_cookie {
    rt_time created, life;
    uint32_t my_tag, peer_tag, my_tie, peer_tie;
    uint32_t my_tsn, peer_tsn, peer_window;
    uint16_t streams_out, streams_in;
    rt_sctp_abilities abilities;
} rt_sctp_cookie;

/* False: OpenSSL failed. */
bool rt_sctp_cookie_seal(rt_sctp *s, const rt_sctp_cookie *c, uint8_t out[RT_SCTP_COOKIE_SIZE]);
/* False: it is none of ours. Its age is the caller's to judge. */
bool rt_sctp_cookie_open(rt_sctp *s, rt_span span, rt_sctp_cookie *c);

/* sctp_handshake.c */
void rt_sctp_send_init(rt_sctp *s, rt_time now);
void rt_sctp_on_init(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now);
void rt_sctp_on_init_ack(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now);
void rt_sctp_on_cookie_echo(rt_sctp *s, const rt_sctp_chunk *chunk, uint32_t tag, rt_time now);
void rt_sctp_on_cookie_ack(rt_sctp *s, rt_time now);
void rt_sctp_on_stale_cookie(rt_sctp *s, rt_span cause, rt_time now);
void rt_sctp_t1_expired(rt_sctp *s, rt_time now);

/* sctp_shutdown.c */
void rt_sctp_shutdown_progress(rt_sctp *s, rt_time now); /* nothing outstanding any more? */
void rt_sctp_on_shutdown(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now);
void rt_sctp_on_shutdown_ack(rt_sctp *s, rt_time now);
void rt_sctp_on_shutdown_complete(rt_sctp *s);
void rt_sctp_repeat_shutdown(rt_sctp *s, rt_time now);
void rt_sctp_t2_expired(rt_sctp *s, rt_time now);

/* sctp_receive.c */
void rt_sctp_report(rt_sctp *s, uint16_t cause, rt_span info); /* an ERROR chunk */

/* sctp_recovery.c */
void rt_sctp_on_sack(rt_sctp *s, const rt_sctp_sack *sack, rt_time now);
void rt_sctp_acknowledge_shutdown(rt_sctp *s, uint32_t cumulative_tsn, rt_time now);
void rt_sctp_update_rtt(rt_sctp *s, rt_time rtt);
void rt_sctp_t3_expired(rt_sctp *s, rt_time now);
void rt_sctp_reorder_expired(rt_sctp *s, rt_time now);
void rt_sctp_probe_expired(rt_sctp *s, rt_time now);
void rt_sctp_abandon(rt_sctp *s, rt_sctp_outgoing *message);
/* After sending: timers that guard what is in flight. */
void rt_sctp_guard_flight(rt_sctp *s, rt_time now);

/* sctp_reset.c */
void rt_sctp_reset_init(rt_sctp *s, uint32_t peer_tsn);
void rt_sctp_reset_free(rt_sctp *s);
void rt_sctp_reset_progress(rt_sctp *s, rt_time now); /* streams may have drained: send the next request */
void rt_sctp_reset_deferred(rt_sctp *s, rt_time now); /* the cumulative TSN moved */
void rt_sctp_on_reconfig(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now);
void rt_sctp_reset_answered(rt_sctp *s, uint32_t result);
void rt_sctp_reset_expired(rt_sctp *s, rt_time now);

/* sctp_path.c */
void rt_sctp_path_start(rt_sctp *s, rt_time now);
void rt_sctp_path_alive(rt_sctp *s, rt_time now); /* data was sent or acknowledged: no heartbeat needed soon */
void rt_sctp_on_heartbeat_ack(rt_sctp *s, const rt_sctp_chunk *chunk, rt_time now);
void rt_sctp_heartbeat_expired(rt_sctp *s, rt_time now);
void rt_sctp_mtu_expired(rt_sctp *s, rt_time now);
void rt_sctp_path_timeout(rt_sctp *s, rt_time now); /* T3 expired */

#endif
