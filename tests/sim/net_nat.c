/* Who gets a packet: addresses of nodes, and NATs between them (RFC 4787). */
#include "net_internal.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_PORT 40000

typedef struct host {
    uint32_t node;
    uint32_t nat; /* NET_NONE: on the open network */
    rt_addr ip;   /* port 0 */
} host;

/* One public port. With a dependent mapping there is one per destination, else `peer` is empty. */
typedef struct mapping {
    uint32_t node;
    uint16_t port;
    rt_addr inside; /* the node's address and port */
    rt_addr peer;
    rt_time used;     /* by the last outgoing packet */
    rt_addr *allowed; /* where packets went: these may answer, as the filtering rule says */
    uint32_t allowed_count;
} mapping;

typedef struct nat {
    net_nat rules;
    rt_addr ip;
    uint16_t next_port;
    mapping *mappings;
    uint32_t count;
} nat;

struct net_router {
    host *hosts;
    uint32_t host_count;
    uint32_t *nat_of; /* by node */
    nat *nats;
    uint32_t nat_count;
};

net_router *net_router_new(void)
{
    net_router *router = net_realloc(NULL, sizeof *router);
    *router = (net_router){0};
    return router;
}

static void clear(nat *one)
{
    for (uint32_t i = 0; i < one->count; i++)
        free(one->mappings[i].allowed);
    free(one->mappings);
    one->mappings = NULL;
    one->count = 0;
}

void net_router_free(net_router *router)
{
    for (uint32_t i = 0; i < router->nat_count; i++)
        clear(&router->nats[i]);
    free(router->nats);
    free(router->nat_of);
    free(router->hosts);
    free(router);
}

void net_router_add_node(net_router *router, uint32_t node)
{
    rt_addr ip = {.family = 4, .ip = {10, 0, (uint8_t)((node + 1) >> 8), (uint8_t)(node + 1)}};
    router->nat_of = net_realloc(router->nat_of, sizeof *router->nat_of * (node + 1));
    router->nat_of[node] = NET_NONE;
    net_router_add_address(router, node, &ip);
}

void net_router_add_address(net_router *router, uint32_t node, const rt_addr *ip)
{
    router->hosts = net_realloc(router->hosts, sizeof *router->hosts * (router->host_count + 1));
    host *one = &router->hosts[router->host_count++];
    *one = (host){.node = node, .nat = router->nat_of[node], .ip = *ip};
    one->ip.port = 0;
}

rt_addr net_router_address(const net_router *router, uint32_t node)
{
    for (uint32_t i = 0; i < router->host_count; i++) {
        if (router->hosts[i].node == node)
            return router->hosts[i].ip;
    }
    return (rt_addr){0};
}

uint32_t net_router_add_nat(net_router *router, const net_nat *rules, const rt_addr *public_ip)
{
    router->nats = net_realloc(router->nats, sizeof *router->nats * (router->nat_count + 1));
    nat *one = &router->nats[router->nat_count];
    *one = (nat){.rules = *rules, .ip = *public_ip, .next_port = FIRST_PORT};
    one->ip.port = 0;
    return router->nat_count++;
}

void net_router_put_behind(net_router *router, uint32_t node, uint32_t number)
{
    assert(number < router->nat_count);
    router->nat_of[node] = number;
    for (uint32_t i = 0; i < router->host_count; i++) {
        if (router->hosts[i].node == node)
            router->hosts[i].nat = number;
    }
}

void net_router_forget(net_router *router, uint32_t number)
{
    assert(number < router->nat_count);
    clear(&router->nats[number]);
}

static uint32_t find_host(const net_router *router, uint32_t behind, const rt_addr *ip)
{
    for (uint32_t i = 0; i < router->host_count; i++) {
        if (router->hosts[i].nat == behind && rt_addr_same_ip(&router->hosts[i].ip, ip))
            return router->hosts[i].node;
    }
    return NET_NONE;
}

static bool same_peer(net_nat_rule rule, const rt_addr *a, const rt_addr *b)
{
    switch (rule) {
    case NET_ENDPOINT_INDEPENDENT: return true;
    case NET_ADDRESS_DEPENDENT: return rt_addr_same_ip(a, b);
    case NET_ADDRESS_AND_PORT_DEPENDENT: return rt_addr_equal(a, b);
    }
    return false;
}

static bool expired(const nat *one, const mapping *m, rt_time now)
{
    return one->rules.life > 0 && now - m->used > one->rules.life;
}

static void allow(mapping *m, const rt_addr *to)
{
    for (uint32_t i = 0; i < m->allowed_count; i++) {
        if (rt_addr_equal(&m->allowed[i], to))
            return;
    }
    m->allowed = net_realloc(m->allowed, sizeof *m->allowed * (m->allowed_count + 1));
    m->allowed[m->allowed_count++] = *to;
}

/* The address that a packet from inside bears outside. */
static rt_addr translate_out(nat *one, uint32_t node, const rt_addr *from, const rt_addr *to, rt_time now)
{
    mapping *m = NULL;
    for (uint32_t i = 0; i < one->count && !m; i++) {
        mapping *seen = &one->mappings[i];
        if (seen->node == node && rt_addr_equal(&seen->inside, from) &&
            same_peer(one->rules.mapping, &seen->peer, to) && !expired(one, seen, now))
            m = seen;
    }
    if (!m) {
        one->mappings = net_realloc(one->mappings, sizeof *one->mappings * (one->count + 1));
        m = &one->mappings[one->count++];
        *m = (mapping){.node = node, .port = one->next_port++, .inside = *from, .peer = *to};
    }
    m->used = now;
    allow(m, to);
    rt_addr outside = one->ip;
    outside.port = m->port;
    return outside;
}

static const mapping *find_mapping(const nat *one, const rt_addr *from, uint16_t port, rt_time now)
{
    for (uint32_t i = 0; i < one->count; i++) {
        const mapping *m = &one->mappings[i];
        if (m->port != port || expired(one, m, now))
            continue;
        for (uint32_t j = 0; j < m->allowed_count; j++) {
            if (same_peer(one->rules.filtering, &m->allowed[j], from))
                return m;
        }
    }
    return NULL;
}

net_route net_router_route(net_router *router, uint32_t node, const rt_addr *from, const rt_addr *to, rt_time now)
{
    net_route route = {.node = NET_NONE, .from = *from, .to = *to};
    uint32_t own = router->nat_of[node];
    if (own != NET_NONE) {
        route.node = find_host(router, own, to);
        if (route.node != NET_NONE)
            return route; /* on the same network behind the NAT */
        route.from = translate_out(&router->nats[own], node, from, to, now);
    }
    for (uint32_t i = 0; i < router->nat_count; i++) {
        const nat *one = &router->nats[i];
        if (!rt_addr_same_ip(&one->ip, to))
            continue;
        const mapping *m = i == own && !one->rules.hairpin ? NULL : find_mapping(one, &route.from, to->port, now);
        if (m) {
            route.node = m->node;
            route.to = m->inside;
        }
        return route;
    }
    route.node = find_host(router, NET_NONE, to);
    return route;
}
