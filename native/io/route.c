#include "io/route.h"

#include <stdlib.h>

#define STUN_HEADER 20
#define STUN_USERNAME 0x0006
#define CLASS_MASK 0x0110
#define CLASS_REQUEST 0x0000
#define CLASS_INDICATION 0x0010

#define KEY_SIZE (sizeof(rt_addr) + sizeof(uint32_t))
_Static_assert(offsetof(rt_source, socket) == offsetof(rt_source, from) + sizeof(rt_addr), "a key has no gap");

static rt_span key_of(const rt_source *source)
{
    return rt_span_of(&source->from, KEY_SIZE);
}

void rt_routes_init(rt_routes *routes, uint64_t seed)
{
    *routes = (rt_routes){.seed = seed};
    rt_bytes_map_init(&routes->sources, seed);
    rt_bytes_map_init(&routes->ufrags, seed);
    rt_map_init(&routes->ids, seed);
}

void rt_routes_free(rt_routes *routes)
{
    rt_bytes_map_free(&routes->sources);
    rt_bytes_map_free(&routes->ufrags);
    rt_map_free(&routes->ids);
    free(routes->transactions);
    routes->transactions = NULL;
}

/* ---- names ---- */

rt_status rt_routes_set_ufrag(rt_routes *routes, void *target, rt_route *route, rt_span ufrag)
{
    void *other = rt_bytes_map_get(&routes->ufrags, ufrag);
    if (other)
        return other == target ? RT_OK : RT_EXISTS;
    char *name = malloc(ufrag.size ? ufrag.size : 1);
    if (!name)
        return RT_NO_MEMORY;
    memcpy(name, ufrag.data, ufrag.size);
    if (route->id == 0) {
        uint32_t id = routes->last_id + 1;
        while (id == 0 || rt_map_get(&routes->ids, id))
            id++;
        if (rt_map_put(&routes->ids, id, target) != RT_OK) {
            free(name);
            return RT_NO_MEMORY;
        }
        route->id = routes->last_id = id;
    }
    if (rt_bytes_map_put(&routes->ufrags, rt_span_of(name, ufrag.size), target) != RT_OK) {
        free(name);
        return RT_NO_MEMORY;
    }
    if (route->ufrag) {
        rt_bytes_map_remove(&routes->ufrags, rt_span_of(route->ufrag, route->ufrag_size));
        free(route->ufrag);
    }
    route->ufrag = name;
    route->ufrag_size = (uint32_t)ufrag.size;
    return RT_OK;
}

/* The part of USERNAME before the colon, which is the receiver's; empty if there is none. */
static rt_span local_ufrag(rt_span datagram)
{
    rt_reader reader = rt_reader_of(datagram);
    rt_skip(&reader, STUN_HEADER);
    while (rt_reader_left(&reader) >= 4) {
        uint16_t type = rt_read16(&reader), size = rt_read16(&reader);
        rt_span value = rt_read_span(&reader, size);
        if (type == STUN_USERNAME) {
            const uint8_t *colon = value.size ? memchr(value.data, ':', value.size) : NULL;
            return rt_span_of(value.data, colon ? (size_t)(colon - value.data) : 0);
        }
        rt_skip(&reader, (4 - size % 4) % 4);
    }
    return (rt_span){0};
}

/* ---- sources ---- */

static void unlink_source(rt_routes *routes, rt_source *source)
{
    rt_route *route = source->route;
    rt_source **at = &route->sources;
    while (*at != source)
        at = &(*at)->next;
    *at = source->next;
    route->source_count--;
    rt_bytes_map_remove(&routes->sources, key_of(source));
    free(source);
}

static void forget_oldest(rt_routes *routes, rt_route *route)
{
    rt_source *last = route->sources;
    while (last->next)
        last = last->next;
    unlink_source(routes, last);
}

static rt_source *find_source(const rt_routes *routes, uint32_t socket, const rt_addr *from)
{
    rt_source probe = {.from = *from, .socket = socket};
    return rt_bytes_map_get(&routes->sources, key_of(&probe));
}

rt_status rt_routes_learn(rt_routes *routes, void *target, rt_route *route, uint32_t socket, const rt_addr *from)
{
    rt_source *source = find_source(routes, socket, from);
    if (source && source->target == target)
        return RT_OK;
    if (source)
        unlink_source(routes, source);
    if (route->source_count == RT_ROUTE_SOURCES)
        forget_oldest(routes, route);
    source = malloc(sizeof *source);
    if (!source)
        return RT_NO_MEMORY;
    *source = (rt_source){.next = route->sources, .target = target, .route = route, .from = *from, .socket = socket};
    if (rt_bytes_map_put(&routes->sources, key_of(source), source) != RT_OK) {
        free(source);
        return RT_NO_MEMORY;
    }
    route->sources = source;
    route->source_count++;
    return RT_OK;
}

void rt_routes_remove(rt_routes *routes, rt_route *route)
{
    while (route->sources)
        unlink_source(routes, route->sources);
    if (route->ufrag) {
        rt_bytes_map_remove(&routes->ufrags, rt_span_of(route->ufrag, route->ufrag_size));
        free(route->ufrag);
    }
    if (route->id)
        rt_map_remove(&routes->ids, route->id);
    *route = (rt_route){0};
}

/* ---- transactions ---- */

static rt_transaction *slot_of(const rt_routes *routes, const uint8_t *id)
{
    return &routes->transactions[rt_hash_bytes(routes->seed, rt_span_of(id, 12)) % RT_ROUTE_TRANSACTIONS];
}

void rt_routes_sent(rt_routes *routes, const rt_route *route, rt_span packet)
{
    if (!rt_is_stun(packet) || (rt_load16(packet.data) & CLASS_MASK) != CLASS_REQUEST)
        return;
    if (!routes->transactions) {
        routes->transactions = calloc(RT_ROUTE_TRANSACTIONS, sizeof *routes->transactions);
        if (!routes->transactions)
            return; /* as if displaced: the retransmission tries again */
    }
    rt_transaction *slot = slot_of(routes, packet.data + 8);
    memcpy(slot->id, packet.data + 8, 12);
    slot->target = route->id;
}

static void *find_transaction(const rt_routes *routes, const uint8_t *id)
{
    const rt_transaction *slot = routes->transactions ? slot_of(routes, id) : NULL;
    if (!slot || !slot->target || memcmp(slot->id, id, 12) != 0)
        return NULL;
    return rt_map_get(&routes->ids, slot->target);
}

/* ---- all together ---- */

void *rt_routes_find(const rt_routes *routes, uint32_t socket, const rt_addr *from, rt_span datagram)
{
    void *target = NULL;
    if (rt_is_stun(datagram)) {
        uint16_t class = rt_load16(datagram.data) & CLASS_MASK;
        if (class == CLASS_REQUEST || class == CLASS_INDICATION) {
            rt_span ufrag = local_ufrag(datagram);
            target = ufrag.size ? rt_bytes_map_get(&routes->ufrags, ufrag) : NULL;
        } else {
            target = find_transaction(routes, datagram.data + 8);
        }
    }
    if (target)
        return target;
    const rt_source *source = find_source(routes, socket, from);
    return source ? source->target : NULL;
}
