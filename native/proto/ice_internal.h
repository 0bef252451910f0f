/* What the files of the ICE agent share; nobody else includes it.
 *
 *   ice.c           life, commands, drive, events           ice_check.c    our requests and their answers
 *   ice_session.c   credentials, restarts                   ice_respond.c  the peer's requests
 *   ice_list.c      candidates, links, the check list       ice_gather.c   STUN servers
 *   ice_stats.c     statistics                              ice_state.c    consent, nomination, state, deadline
 *
 * A *session* is everything between two restarts: credentials, candidates, check list. The agent has the
 * current one and, from a restart until the new one has a selected link, the last one that worked: data
 * keeps flowing there, its consent is kept fresh, and requests with its credentials are answered.
 * A *link* is a candidate pair with its checks. Its local side is always a host candidate (the base); a
 * server-reflexive one would be pruned in its favour (RFC 8445 section 6.1.2.4).
 */
#ifndef RT_PROTO_ICE_INTERNAL_H
#define RT_PROTO_ICE_INTERNAL_H

#include "proto/ice.h"
#include "wire/stun.h"

enum {
    MAX_LOCALS = 64, /* hosts and reflexive ones */
    MAX_SERVERS = 16,
    MAX_QUERIES = 128, /* servers times hosts of their family */
    MAX_REPLIES = 32,  /* between two transmits; the peer sends its request again if one is dropped */
    MAX_STATES = 8,    /* not yet taken by the owner; older ones give way */
    MAX_TRIES = 12,    /* of a connectivity check: 21.5 s from 500 ms on, doubled up to 2 s */
    QUERY_TRIES = 4,   /* of a STUN server: 5.5 s */
    BURST = 10,        /* checks that may go at once before Ta paces them */
    UFRAG_SIZE = 8,    /* 48 random bits: a shared socket routes by it */
    PWD_SIZE = 24,
};

#define RETRY_MAX RT_SECONDS(2)           /* longest wait between two transmissions of one request */
#define RETRY_MIN RT_MS(50)               /* shortest, when the round trip is known */
#define RESEND_MIN RT_MS(10)              /* between two that the peer's checks call forth */
#define SETTLE RT_MS(200)                 /* wait for a better link so long after the first valid one */
#define NOMINATION_PATIENCE RT_SECONDS(3) /* then another valid link is tried */
#define REFRESH RT_SECONDS(15)            /* of NAT bindings towards STUN servers, while there is no path */

typedef struct rt_ice_exchange { /* one STUN transaction of ours */
    uint8_t id[RT_STUN_TRANSACTION];
    bool active;   /* waits for its answer */
    bool repeated; /* sent more than once: which of them is answered is not known */
    bool use_candidate;
    bool controlling; /* the role that it claims */
    uint8_t tries;
    rt_time begun;
    rt_time sent; /* last */
    rt_time due;  /* the next transmission, or the end of waiting after the last */
    rt_time interval;
} rt_ice_exchange;

typedef struct rt_ice_link {
    rt_ice_pair_stats stats; /* `local` is what the peer sees us as, once known; `state`, `priority` count */
    rt_addr remote;
    uint16_t socket;
    uint16_t base;       /* index of the host candidate */
    uint32_t foundation; /* the same number for the same foundations of both sides */
    bool triggered;      /* a check goes out at once */
    bool nominating;     /* controlling: the check under way nominates */
    bool wanted;         /* controlled: the peer nominated before our own check succeeded */

    rt_ice_exchange check;
    rt_ice_exchange consent;
    uint8_t earlier[2][RT_STUN_TRANSACTION]; /* ids given up; a late answer still proves the path */
    uint8_t earlier_count;

    rt_time consent_due;      /* RT_NEVER: not the active link */
    rt_time last_answer;      /* consent counts from here */
    rt_time first_unanswered; /* oldest request since, RT_NEVER: none */
    rt_time last_heard;       /* anything at all came in */
} rt_ice_link;

typedef struct rt_ice_query { /* one STUN server asked from one host */
    rt_ice_exchange exchange;
    uint8_t server; /* index in the session's servers */
    uint16_t local;
    bool answered;
    bool failed;
} rt_ice_query;

typedef struct rt_ice_server {
    rt_addr address;
    uint16_t number; /* the owner's */
    bool redirected;
    bool reported; /* its error became an event, or it answered */
    uint16_t code; /* of its error response */
} rt_ice_server;

typedef struct rt_ice_session {
    char *ufrag, *pwd;  /* ours */
    char *remote_ufrag; /* NULL: unknown yet */
    char *remote_pwd;
    rt_hmac *local_sha1, *local_sha256; /* the second when a peer first uses it */
    rt_hmac *remote_sha1;
    bool remote_restarted; /* the peer's restart, which the owner has not answered by one of its own yet */

    rt_ice_candidate *locals;
    uint16_t *preferences; /* of each local */
    uint32_t local_count, local_room, local_announced;
    rt_ice_candidate *remotes;
    uint32_t remote_count, remote_room;
    rt_ice_link **links;
    uint32_t link_count, link_room;
    rt_ice_link *selected;
    bool local_ended, remote_ended;

    rt_ice_server servers[MAX_SERVERS];
    uint32_t server_count;
    rt_ice_query *queries;
    uint32_t query_count, query_room;
    rt_ice_gathering gathering, gathering_told;

    rt_time begun;       /* first remote credentials */
    rt_time first_valid; /* RT_NEVER: none yet */
    rt_time last_busy;   /* when there was last something to check */
} rt_ice_session;

typedef struct rt_ice_reply {
    rt_addr to;
    uint16_t socket;
    uint16_t code; /* 0: success */
    rt_hash hash;
    rt_ice_session *session; /* whose password signs; NULL: not signed */
    rt_ice_link *link;       /* for its counters; NULL: none */
    uint8_t transaction[RT_STUN_TRANSACTION];
    uint16_t unknown[RT_STUN_UNKNOWN_MAX];
    uint16_t unknown_count;
} rt_ice_reply;

struct rt_ice {
    rt_ice_config config;
    uint64_t tie_breaker;
    bool controlling;
    bool remote_lite;
    bool begun;  /* remote credentials have ever been there */
    bool failed; /* consent is lost: for good, until a restart */

    rt_ice_session *now;
    rt_ice_session *old; /* NULL: none */

    rt_ice_reply replies[MAX_REPLIES];
    uint32_t reply_first, reply_count;

    rt_ice_link *path; /* where data goes; NULL: nowhere */
    rt_time deadline;
    rt_time round_trip; /* smoothed over all links; 0: unknown */
    rt_time paced;      /* when the pace is caught up; may run BURST - 1 intervals ahead of now */
    uint32_t next_link, next_foundation, next_link_foundation;

    rt_ice_state states[MAX_STATES];
    uint32_t state_first, state_count;
    rt_ice_state state;
    bool path_changed, role_changed;

    rt_ice_stats stats;
};

/* ice_session.c */
rt_ice_session *rt_ice_session_new(rt_ice *ice); /* NULL when there is no memory */
void rt_ice_session_free(rt_ice *ice, rt_ice_session *session);
rt_status rt_ice_session_set_remote(rt_ice_session *session, rt_span ufrag, rt_span pwd);
rt_hmac *rt_ice_session_key(rt_ice_session *session, rt_hash hash);

/* ice_list.c */
uint32_t rt_ice_priority(rt_ice_type type, uint16_t preference);
uint64_t rt_ice_pair_priority(bool controlling, uint32_t local, uint32_t remote);
/* The index, or -1 when a limit or memory is reached. */
int rt_ice_add_local(rt_ice *ice, const rt_ice_candidate *candidate, uint16_t preference);
int rt_ice_find_local(const rt_ice_session *session, const rt_addr *address, uint16_t socket);
int rt_ice_find_host(const rt_ice_session *session, uint16_t socket, uint8_t family);
int rt_ice_store_remote(rt_ice *ice, const rt_ice_candidate *candidate);
int rt_ice_find_remote(const rt_ice_session *session, const rt_addr *address, rt_ice_transport transport);
void rt_ice_number_foundation(rt_ice *ice, rt_ice_candidate *candidate);
rt_ice_link *rt_ice_find_link(const rt_ice_session *session, uint16_t socket, const rt_addr *remote);
/* NULL: not to be paired, or full. `works`: a check came in on it, so that it is paired whatever it looks like. */
rt_ice_link *rt_ice_add_link(rt_ice *ice, uint32_t base, uint32_t remote, bool works);
void rt_ice_pair_local(rt_ice *ice, uint32_t local);
void rt_ice_pair_remote(rt_ice *ice, uint32_t remote);
void rt_ice_group_link(rt_ice *ice, rt_ice_link *link); /* numbers its foundation */
void rt_ice_thaw_like(rt_ice_session *session, const rt_ice_link *link);
/* The link that an ordinary check is for: waiting, else to be thawed; NULL: none. */
rt_ice_link *rt_ice_next_link(rt_ice_session *session);
rt_ice_link *rt_ice_best_valid(const rt_ice_session *session);
void rt_ice_rank_links(rt_ice *ice); /* after a change of the role or of priorities */

/* ice_check.c */
bool rt_ice_may_check(const rt_ice *ice, const rt_ice_session *session);
rt_time rt_ice_pace_due(const rt_ice *ice);
void rt_ice_pace(rt_ice *ice, rt_time now);
void rt_ice_begin_exchange(rt_ice *ice, rt_ice_exchange *exchange, rt_time now);
void rt_ice_count_try(rt_ice_exchange *exchange, rt_time now);
void rt_ice_nominate(rt_ice *ice, rt_ice_link *link, rt_time now);
/* Controlled: the peer nominates a valid link. */
void rt_ice_accept_nomination(rt_ice *ice, rt_ice_link *link, rt_time now);
void rt_ice_switch_role(rt_ice *ice, bool controlling);
bool rt_ice_send_checks(rt_ice *ice, rt_batch *out, rt_time now); /* false: the batch is full */
rt_status rt_ice_take_answer(rt_ice *ice, uint16_t socket, const rt_addr *from, const rt_stun *stun, rt_time now);

/* ice_respond.c */
rt_status rt_ice_take_request(rt_ice *ice, uint16_t socket, const rt_addr *from, const rt_stun *stun, rt_time now);
bool rt_ice_send_replies(rt_ice *ice, rt_batch *out, rt_time now);
void rt_ice_drop_replies(rt_ice *ice, const rt_ice_session *session, const rt_ice_link *link);

/* ice_gather.c */
void rt_ice_query_host(rt_ice *ice, uint32_t local, rt_time now);
void rt_ice_query_server(rt_ice *ice, uint32_t server, rt_time now);
bool rt_ice_send_queries(rt_ice *ice, rt_batch *out, rt_time now);
bool rt_ice_take_query_answer(rt_ice *ice, uint16_t socket, const rt_addr *from, const rt_stun *stun, rt_time now,
                              rt_status *status);
void rt_ice_expire_queries(rt_ice *ice, rt_time now);
rt_time rt_ice_query_deadline(const rt_ice *ice);
void rt_ice_update_gathering(rt_ice *ice);
bool rt_ice_server_event(rt_ice *ice, rt_ice_event *out);

/* ice_state.c */
rt_ice_link *rt_ice_active(const rt_ice_session *session); /* selected, else the best valid one */
void rt_ice_expire_links(rt_ice *ice, rt_time now);
/* After every change: nominates, finds the path, the state and the deadline. */
void rt_ice_update(rt_ice *ice, rt_time now);

#endif
