/* ICE agent (RFC 8445, RFC 8838 trickle, RFC 7675 consent, RFC 8839 attributes), one component (BUNDLE
 * and rtcp-mux make it so), full or lite.
 *
 * Sans-IO: the owner opens sockets and tells the agent of them as host candidates; the agent finds
 * server-reflexive candidates through STUN servers, checks pairs, nominates, and keeps consent fresh.
 * `socket` is an index that the owner gave with a host candidate and gets back with each packet.
 * One thread at a time. Memory is bounded by the limits in the configuration.
 *
 * Drive: feed (receive, commands), drain transmit() and event() until empty, sleep until deadline().
 */
#ifndef RT_PROTO_ICE_H
#define RT_PROTO_ICE_H

#include "base/addr.h"
#include "base/batch.h"
#include "base/random.h"
#include "base/span.h"
#include "base/status.h"
#include "base/time.h"

typedef enum rt_ice_type { RT_ICE_HOST, RT_ICE_SRFLX, RT_ICE_PRFLX, RT_ICE_RELAY } rt_ice_type;
typedef enum rt_ice_transport {
    RT_ICE_UDP,
    RT_ICE_TCP_ACTIVE, /* RFC 6544: parsed and carried; the agent pairs UDP only as yet */
    RT_ICE_TCP_PASSIVE,
    RT_ICE_TCP_SO,
} rt_ice_transport;

#define RT_ICE_FOUNDATION_MAX 33 /* 32 characters and the terminator */
#define RT_ICE_UFRAG_MAX 257     /* 256 characters and the terminator */
#define RT_ICE_PWD_MAX 257

typedef struct rt_ice_candidate {
    rt_addr address;
    rt_addr related; /* base or mapped address for raddr/rport; family 0 for none */
    uint32_t priority;
    rt_ice_type type;
    rt_ice_transport transport;
    uint16_t socket; /* local candidates: the owner's index of the base */
    uint16_t server; /* srflx, relay: index of the server that it came from */
    char foundation[RT_ICE_FOUNDATION_MAX];
} rt_ice_candidate;

typedef enum rt_ice_state { /* W3C RTCIceTransportState */
                            RT_ICE_NEW,
                            RT_ICE_CHECKING,
                            RT_ICE_CONNECTED,
                            RT_ICE_COMPLETED,
                            RT_ICE_DISCONNECTED,
                            RT_ICE_FAILED,
                            RT_ICE_CLOSED,
} rt_ice_state;

typedef enum rt_ice_gathering { RT_ICE_GATHER_NEW, RT_ICE_GATHERING, RT_ICE_GATHER_COMPLETE } rt_ice_gathering;

typedef struct rt_ice_config {
    rt_random *random; /* borrowed; must live as long as the agent */
    bool controlling;
    bool lite;
    uint16_t max_pairs;             /* default 100 */
    uint16_t max_remote_candidates; /* default 64; more are refused with RT_AGAIN */
    rt_time pacing;                 /* Ta, default 50 ms; the first checks of a burst go at once */
    rt_time rto;                    /* first retransmission, default 500 ms until a round trip is known */
    rt_time keepalive;              /* mean of consent checks, default 5 s, randomised 0.8 to 1.2 */
    rt_time disconnected_after;     /* no answer for so long: DISCONNECTED, default 5 s */
    rt_time failed_after;           /* consent lost (RFC 7675), default 30 s */
    rt_time no_candidates_after;    /* FAILED when there was nothing to check for so long; with the end of
                                       candidates on both sides, so long after the start; default 15 s */
} rt_ice_config;

void rt_ice_config_default(rt_ice_config *config);

typedef struct rt_ice rt_ice;

/* Local credentials are drawn at once. NULL when there is no memory. */
rt_ice *rt_ice_new(const rt_ice_config *config);
void rt_ice_free(rt_ice *ice);

/* Zero terminated, borrowed until the next restart. */
const char *rt_ice_local_ufrag(const rt_ice *ice);
const char *rt_ice_local_pwd(const rt_ice *ice);

/* Others than those that were drawn: 4 to 256 and 22 to 256 letters, digits, + and / (RFC 8839 section 5.4), else
 * RT_INVALID. RT_UNEXPECTED when there are candidates already, or the remote credentials: these were signalled. */
rt_status rt_ice_set_local_credentials(rt_ice *ice, rt_span ufrag, rt_span pwd);
/* Before the first check; afterwards roles change by conflict only. */
rt_status rt_ice_set_controlling(rt_ice *ice, bool controlling);
bool rt_ice_controlling(const rt_ice *ice);
/* The remote side is ICE-lite: we are controlling and it never checks. */
void rt_ice_set_remote_lite(rt_ice *ice, bool lite);

/* A socket of the owner's, bound to `address`. `preference` (0..65535) orders interfaces and families. */
rt_status rt_ice_add_host(rt_ice *ice, uint16_t socket, const rt_addr *address, uint16_t preference, rt_time now);
/* A STUN server to learn server-reflexive candidates from, over every host base of its family. */
rt_status rt_ice_add_server(rt_ice *ice, uint16_t server, const rt_addr *address, rt_time now);
/* No more hosts or servers will come: gathering completes when the servers have answered or timed out. */
void rt_ice_end_of_local(rt_ice *ice, rt_time now);

/* Checks begin with the first remote credentials. New credentials that differ are the remote's restart:
 * remote candidates of the old ones are forgotten. */
rt_status rt_ice_set_remote_credentials(rt_ice *ice, rt_span ufrag, rt_span pwd, rt_time now);
/* Type, transport, address, priority, foundation. RT_UNSUPPORTED for TCP (kept for statistics: no pair). */
rt_status rt_ice_add_remote(rt_ice *ice, const rt_ice_candidate *candidate, rt_time now);
void rt_ice_end_of_remote(rt_ice *ice, rt_time now);

/* New local credentials and a new check list; the selected pair stays in use until the next one.
 * The owner gathers again (add_host for the same sockets, servers, end_of_local). When it answers a restart of
 * the peer's, the remote credentials and candidates set since then are kept: both orders of the two calls work.
 * Without memory nothing changes, and the same credentials are signalled once more. */
void rt_ice_restart(rt_ice *ice, rt_time now);

/* One STUN datagram. Anything else is RT_UNEXPECTED. `from` is the source, `socket` where it came in. */
rt_status rt_ice_receive(rt_ice *ice, uint16_t socket, const rt_addr *from, rt_span datagram, rt_time now);
/* Fills packets with `socket` and `to` set; the batch's headroom is kept. Returns how many were added. */
size_t rt_ice_transmit(rt_ice *ice, rt_batch *out, rt_time now);
rt_time rt_ice_deadline(const rt_ice *ice);
void rt_ice_expire(rt_ice *ice, rt_time now);

/* Where application data goes now, false while there is nowhere. Also true for a valid pair before it is
 * nominated (RFC 8445 section 12.1). */
bool rt_ice_path(const rt_ice *ice, uint16_t *socket, rt_addr *to);
/* What a drain without anything to do for ICE reads; two steps (base/prefetch.h). */
void rt_ice_prefetch(const rt_ice *ice, int step);
/* Whether data may be accepted from there: a known local/remote pair, of the session before a restart too. */
bool rt_ice_knows(const rt_ice *ice, uint16_t socket, const rt_addr *from);
/* Counts application bytes on the pair, for statistics and so that keepalives can be skipped. */
void rt_ice_count_data(rt_ice *ice, uint16_t socket, const rt_addr *remote, bool sent, uint32_t packets, size_t bytes,
                       rt_time now);

rt_ice_state rt_ice_get_state(const rt_ice *ice);
rt_ice_gathering rt_ice_get_gathering(const rt_ice *ice);

typedef enum rt_ice_event_type {
    RT_ICE_EVENT_CANDIDATE,       /* `candidate`: a new local candidate, to be trickled */
    RT_ICE_EVENT_GATHERING,       /* `gathering` changed */
    RT_ICE_EVENT_STATE,           /* `state` changed */
    RT_ICE_EVENT_SELECTED,        /* the selected pair changed: rt_ice_path() */
    RT_ICE_EVENT_ROLE,            /* a role conflict switched the role */
    RT_ICE_EVENT_CANDIDATE_ERROR, /* a server did not answer or refused: `server`, `code`, `text` (W3C
                                     icecandidateerror; 701 when it was not reached) */
} rt_ice_event_type;

typedef struct rt_ice_event {
    rt_ice_event_type type;
    rt_ice_candidate candidate;
    rt_ice_gathering gathering;
    rt_ice_state state;
    uint16_t server;
    uint16_t code;
    char text[64];
} rt_ice_event;

bool rt_ice_event_next(rt_ice *ice, rt_ice_event *out);

/* Statistics (W3C webrtc-stats: candidate, candidate-pair). Borrowed until the next call that changes the
 * agent; local candidates with their indexes are stable for the life of a generation. */
typedef enum rt_ice_pair_state {
    RT_ICE_PAIR_FROZEN,
    RT_ICE_PAIR_WAITING,
    RT_ICE_PAIR_IN_PROGRESS,
    RT_ICE_PAIR_SUCCEEDED,
    RT_ICE_PAIR_FAILED,
} rt_ice_pair_state;

typedef struct rt_ice_pair_stats {
    uint32_t id;     /* never reused by this agent */
    uint32_t local;  /* index for rt_ice_local() */
    uint32_t remote; /* index for rt_ice_remote() */
    rt_ice_pair_state state;
    bool nominated;
    bool selected;
    uint64_t priority;
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
    uint64_t requests_sent, requests_received, responses_sent, responses_received, consent_requests_sent;
    rt_time last_packet_sent, last_packet_received; /* RT_NEVER if none */
    rt_time current_round_trip;                     /* 0 if unknown */
    rt_time total_round_trip;
} rt_ice_pair_stats;

typedef struct rt_ice_stats {
    uint64_t malformed, unauthenticated, unexpected; /* datagrams dropped, by reason */
    uint64_t candidates_refused;                     /* beyond a limit */
    uint32_t local_count, remote_count, pair_count;
    uint32_t selected_pair_changes;
} rt_ice_stats;

void rt_ice_get_stats(const rt_ice *ice, rt_ice_stats *out);
const rt_ice_candidate *rt_ice_local(const rt_ice *ice, uint32_t index);
const rt_ice_candidate *rt_ice_remote(const rt_ice *ice, uint32_t index);
bool rt_ice_pair(const rt_ice *ice, uint32_t index, rt_ice_pair_stats *out);

#endif
