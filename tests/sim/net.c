#include "net.h"
#include "net_internal.h"

#include "base/heap.h"
#include "base/ring.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS_PER_BLOCK 256

typedef struct slot {
    rt_timer timer; /* in the stragglers' heap */
    struct slot *next_free;
    struct line *line;
    net_packet packet;
} slot;

/* One direction with its state. */
typedef struct line {
    net_path path;
    net_path_stats stats;
    rt_ring queue;      /* slot *, in order of `due` */
    rt_time busy_until; /* the link sends until then what was queued so far */
    rt_time last_due;
    bool bursting;
} line;

struct net {
    rt_random random;
    net_router *router;
    uint32_t nodes;
    line **lines; /* nodes x nodes, NULL where nothing was sent or set yet */
    line **used;  /* those that are not NULL */
    uint32_t used_count;
    rt_heap stragglers;
    slot **blocks;
    uint32_t block_count;
    slot *free_slots;
    slot *delivered; /* lent to the caller */
    uint32_t in_flight;
    uint64_t lost;
};

void *net_realloc(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (!grown) {
        fprintf(stderr, "net: no memory for %zu bytes\n", size);
        abort();
    }
    return grown;
}

net *net_new(uint64_t seed)
{
    net *n = net_realloc(NULL, sizeof *n);
    *n = (net){.router = net_router_new()};
    rt_random_init_number(&n->random, seed);
    rt_heap_init(&n->stragglers);
    return n;
}

void net_free(net *n)
{
    if (!n)
        return;
    for (uint32_t i = 0; i < n->used_count; i++) {
        rt_ring_free(&n->used[i]->queue);
        free(n->used[i]);
    }
    rt_heap_free(&n->stragglers);
    for (uint32_t i = 0; i < n->block_count; i++)
        free(n->blocks[i]);
    free(n->blocks);
    free(n->used);
    free(n->lines);
    net_router_free(n->router);
    free(n);
}

uint32_t net_node(net *n)
{
    uint32_t nodes = n->nodes + 1;
    line **lines = net_realloc(NULL, sizeof *lines * nodes * nodes);
    for (uint32_t from = 0; from < nodes; from++) {
        for (uint32_t to = 0; to < nodes; to++)
            lines[from * nodes + to] = from < n->nodes && to < n->nodes ? n->lines[from * n->nodes + to] : NULL;
    }
    free(n->lines);
    n->lines = lines;
    n->nodes = nodes;
    net_router_add_node(n->router, nodes - 1);
    return nodes - 1;
}

rt_addr net_address(const net *n, uint32_t node)
{
    assert(node < n->nodes);
    return net_router_address(n->router, node);
}

void net_add_address(net *n, uint32_t node, const rt_addr *ip)
{
    assert(node < n->nodes);
    net_router_add_address(n->router, node, ip);
}

uint32_t net_add_nat(net *n, const net_nat *rules, const rt_addr *public_ip)
{
    return net_router_add_nat(n->router, rules, public_ip);
}

void net_put_behind(net *n, uint32_t node, uint32_t nat)
{
    assert(node < n->nodes);
    net_router_put_behind(n->router, node, nat);
}

void net_nat_forget(net *n, uint32_t nat)
{
    net_router_forget(n->router, nat);
}

static line *line_of(net *n, uint32_t from, uint32_t to)
{
    assert(from < n->nodes && to < n->nodes);
    line **place = &n->lines[from * n->nodes + to];
    if (!*place) {
        *place = net_realloc(NULL, sizeof **place);
        **place = (line){0};
        rt_ring_init(&(*place)->queue, sizeof(slot *), 1u << 30);
        n->used = net_realloc(n->used, sizeof *n->used * (n->used_count + 1));
        n->used[n->used_count++] = *place;
    }
    return *place;
}

net_path *net_path_of(net *n, uint32_t from, uint32_t to)
{
    return &line_of(n, from, to)->path;
}

void net_set_both(net *n, uint32_t a, uint32_t b, const net_path *path)
{
    *net_path_of(n, a, b) = *path;
    *net_path_of(n, b, a) = *path;
}

net_path_stats net_path_get_stats(const net *n, uint32_t from, uint32_t to)
{
    assert(from < n->nodes && to < n->nodes);
    const line *l = n->lines[from * n->nodes + to];
    return l ? l->stats : (net_path_stats){0};
}

/* ---- slots ---- */

static slot *take_slot(net *n)
{
    if (!n->free_slots) {
        slot *block = net_realloc(NULL, sizeof *block * SLOTS_PER_BLOCK);
        n->blocks = net_realloc(n->blocks, sizeof *n->blocks * (n->block_count + 1));
        n->blocks[n->block_count++] = block;
        for (int i = 0; i < SLOTS_PER_BLOCK; i++) {
            block[i].next_free = n->free_slots;
            n->free_slots = &block[i];
        }
    }
    slot *s = n->free_slots;
    n->free_slots = s->next_free;
    s->timer = (rt_timer){0};
    return s;
}

static void give_slot(net *n, slot *s)
{
    s->next_free = n->free_slots;
    n->free_slots = s;
}

/* ---- sending ---- */

static bool by_chance(net *n, double probability)
{
    return probability > 0 && rt_random32(&n->random) < probability * 4294967296.0;
}

/* Evenly in [0, most]. */
static rt_time up_to(net *n, rt_time most)
{
    return most > 0 ? (rt_time)(rt_random64(&n->random) % ((uint64_t)most + 1)) : 0;
}

static bool is_lost(net *n, line *l)
{
    if (l->path.burst_enter > 0) {
        l->bursting = l->bursting ? !by_chance(n, l->path.burst_leave) : by_chance(n, l->path.burst_enter);
        if (l->bursting && by_chance(n, l->path.burst_loss))
            return true;
    }
    return by_chance(n, l->path.loss);
}

/* The time at which the link has sent the packet, or -1 when its queue is full. */
static rt_time through_link(line *l, uint32_t size, rt_time now)
{
    if (l->path.bandwidth <= 0)
        return now;
    double bits_per_ns = l->path.bandwidth / 1e9;
    rt_time start = rt_time_max(l->busy_until, now);
    uint32_t waiting = (uint32_t)((double)(start - now) * bits_per_ns / 8);
    if (l->path.queue > 0 && waiting + size > l->path.queue && waiting > 0)
        return -1;
    if (waiting + size > l->stats.queue_peak)
        l->stats.queue_peak = waiting + size;
    l->busy_until = start + (rt_time)((size + l->path.overhead) * 8 / bits_per_ns);
    return l->busy_until;
}

/* Into the heap of packets that others of their line overtake. */
static void put_aside(net *n, slot *s)
{
    if (rt_heap_set(&n->stragglers, &s->timer, s->packet.due) != RT_OK) {
        fprintf(stderr, "net: no memory for %u packets in flight\n", n->in_flight);
        abort();
    }
}

static void enqueue(net *n, line *l, slot *s)
{
    slot **place = s->packet.due >= l->last_due ? rt_ring_push(&l->queue) : NULL;
    n->in_flight++;
    if (!place) {
        put_aside(n, s);
        return;
    }
    *place = s;
    l->last_due = s->packet.due;
}

static void enqueue_late(net *n, line *l, slot *s)
{
    s->packet.due += 1 + up_to(n, l->path.reorder_delay ? l->path.reorder_delay : l->path.delay);
    n->in_flight++;
    put_aside(n, s);
}

static void send_over(net *n, line *l, uint32_t from_node, const net_route *route, rt_span data, rt_time now)
{
    assert(data.size <= NET_PACKET_MAX);
    const net_path *path = &l->path;
    l->stats.sent++;
    l->stats.bytes_sent += data.size;
    if (now >= path->down_from && now < path->down_until) {
        l->stats.down_drops++;
        return;
    }
    if (path->mtu && data.size > path->mtu) {
        l->stats.mtu_drops++;
        return;
    }
    if (is_lost(n, l)) {
        l->stats.lost++;
        return;
    }
    rt_time sent = through_link(l, (uint32_t)data.size, now);
    if (sent < now) {
        l->stats.queue_drops++;
        return;
    }

    slot *s = take_slot(n);
    s->line = l;
    net_packet *p = &s->packet;
    p->node = route->node;
    p->from_node = from_node;
    p->from = route->from;
    p->to = route->to;
    p->sent = now;
    p->size = (uint32_t)data.size;
    if (data.size)
        memcpy(p->data, data.data, data.size);
    if (p->size && by_chance(n, path->corrupt)) {
        p->data[rt_random_below(&n->random, p->size)] ^= (uint8_t)(1 + rt_random_below(&n->random, 255));
        l->stats.corrupted++;
    }
    if (p->size && by_chance(n, path->truncate)) {
        p->size = rt_random_below(&n->random, p->size);
        l->stats.truncated++;
    }
    p->due = rt_time_max(sent + path->delay + up_to(n, path->jitter), path->jitter ? l->last_due : 0);

    if (by_chance(n, path->duplicate)) {
        slot *copy = take_slot(n);
        copy->line = l;
        memcpy(&copy->packet, p, offsetof(net_packet, data) + p->size);
        enqueue_late(n, l, copy);
        l->stats.duplicated++;
    }
    if (by_chance(n, path->reorder)) {
        enqueue_late(n, l, s);
        l->stats.reordered++;
    } else {
        enqueue(n, l, s);
    }
}

void net_send(net *n, uint32_t node, const rt_addr *from, const rt_addr *to, rt_span data, rt_time now)
{
    assert(node < n->nodes);
    net_route route = net_router_route(n->router, node, from, to, now);
    if (route.node == NET_NONE) {
        n->lost++;
        return;
    }
    send_over(n, line_of(n, node, route.node), node, &route, data, now);
}

void net_send_to(net *n, uint32_t from, uint32_t to, rt_span data, rt_time now)
{
    net_route route = {.node = to};
    send_over(n, line_of(n, from, to), from, &route, data, now);
}

/* ---- arrival ---- */

static rt_time head_of(const line *l)
{
    return l->queue.count ? (*(slot **)rt_ring_first(&l->queue))->packet.due : RT_NEVER;
}

rt_time net_next_time(const net *n)
{
    rt_time next = rt_heap_deadline(&n->stragglers);
    for (uint32_t i = 0; i < n->used_count; i++)
        next = rt_time_min(next, head_of(n->used[i]));
    return next;
}

net_packet *net_deliver(net *n, rt_time now)
{
    if (n->delivered) {
        give_slot(n, n->delivered);
        n->delivered = NULL;
    }
    rt_time next = rt_heap_deadline(&n->stragglers);
    line *first = NULL;
    for (uint32_t i = 0; i < n->used_count; i++) {
        if (head_of(n->used[i]) < next) {
            first = n->used[i];
            next = head_of(first);
        }
    }
    if (next == RT_NEVER || next > now)
        return NULL;
    slot *s;
    if (first) {
        s = *(slot **)rt_ring_first(&first->queue);
        rt_ring_pop(&first->queue);
    } else {
        s = RT_TIMER_OWNER(rt_heap_pop(&n->stragglers, now), slot, timer);
    }
    s->line->stats.delivered++;
    s->line->stats.bytes_delivered += s->packet.size;
    n->in_flight--;
    n->delivered = s;
    return &s->packet;
}

uint32_t net_in_flight(const net *n)
{
    return n->in_flight;
}

uint64_t net_lost(const net *n)
{
    return n->lost;
}
