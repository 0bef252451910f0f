/* Whose datagram is this? For sockets that many peers share.
 *
 *   STUN request     by the local half of its USERNAME (RFC 8445 section 7.2.2), else by its source
 *   STUN response    by its transaction id, which was noted when the request went out
 *   anything else    by its exact source
 *
 * A source is learned when a peer has accepted a STUN message from there, and forgotten with the peer. Nothing
 * that is not authenticated makes state. Bounded: RT_ROUTE_SOURCES per peer (then the oldest goes), and a fixed
 * table of transactions in which a newer one may displace an older one; its retransmission puts it back.
 */
#ifndef RT_IO_ROUTE_H
#define RT_IO_ROUTE_H

#include "base/addr.h"
#include "base/map.h"
#include "base/span.h"
#include "base/status.h"

#define RT_ROUTE_SOURCES 32
#define RT_ROUTE_TRANSACTIONS 4096

typedef struct rt_source rt_source;

/* What a target keeps of its routes; zero to begin with. */
typedef struct rt_route {
    rt_source *sources;
    char *ufrag;
    uint32_t ufrag_size;
    uint32_t source_count;
    uint32_t id; /* of its transactions; given by rt_routes_set_ufrag, never reused */
} rt_route;

struct rt_source {
    rt_source *next; /* of the same target, newest first */
    void *target;
    rt_route *route; /* the target's */
    rt_addr from;    /* these two are the key, without a gap */
    uint32_t socket;
};

typedef struct rt_transaction {
    uint8_t id[12];
    uint32_t target; /* rt_route.id; 0: empty */
} rt_transaction;

typedef struct rt_routes {
    rt_bytes_map sources;
    rt_bytes_map ufrags;
    rt_map ids;
    rt_transaction *transactions; /* NULL until the first */
    uint64_t seed;
    uint32_t last_id;
} rt_routes;

void rt_routes_init(rt_routes *routes, uint64_t seed);
void rt_routes_free(rt_routes *routes); /* after all targets were removed */

/* The target's name from now on; an earlier one ends. RT_EXISTS if it is another target's. */
rt_status rt_routes_set_ufrag(rt_routes *routes, void *target, rt_route *route, rt_span ufrag);
void rt_routes_remove(rt_routes *routes, rt_route *route);

/* NULL: nobody's. */
void *rt_routes_find(const rt_routes *routes, uint32_t socket, const rt_addr *from, rt_span datagram);
/* `route` is target's. A source of another target's becomes this one's: it proved it last. */
rt_status rt_routes_learn(rt_routes *routes, void *target, rt_route *route, uint32_t socket, const rt_addr *from);
/* A packet on its way out; notes it if it is a STUN request. */
void rt_routes_sent(rt_routes *routes, const rt_route *route, rt_span packet);

static inline bool rt_is_stun(rt_span datagram)
{
    return datagram.size >= 20 && datagram.data[0] < 4 && rt_load32(datagram.data + 4) == 0x2112a442;
}

#endif
