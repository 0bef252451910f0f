/* A virtual network in virtual time: datagrams between nodes over paths with faults, the same for a seed.
 *
 * It has no clock and no callbacks, as little as the machines that it connects. A simulation is this loop:
 *
 *     net_send(net, node, &from, &to, packet, now)       what the endpoints want to send
 *     now = min(net_next_time(net), deadlines)           jump to whatever happens next
 *     while ((p = net_deliver(net, now)))  ...           what has arrived, in order of arrival
 *
 * A path is one direction between two nodes. Each path has its own faults and statistics; a scenario sets
 * them before or while it runs:
 *
 *     net *n = net_new(seed);
 *     uint32_t a = net_node(n), b = net_node(n);
 *     *net_path_of(n, a, b) = (net_path){.delay = RT_MS(10), .bandwidth = 100e6, .queue = 250000, .loss = 0.01};
 *
 * A packet goes: down? mtu? -> loss -> corruption -> queue and bandwidth -> delay, jitter -> reordering, copies.
 *
 * Nodes have addresses (net_node gives the first one: 10.0.x.y, IPv4) and may sit behind a NAT (RFC 4787).
 * Programs with two ends and no interest in addresses use net_send_to().
 *
 * Fast enough for tens of gigabytes: no allocation per packet, FIFO per path, a heap for stragglers only.
 * The seed decides everything that is random; print it with every failure.
 */
#ifndef RT_SIM_NET_H
#define RT_SIM_NET_H

#include "base/addr.h"
#include "base/random.h"
#include "base/span.h"
#include "base/time.h"

#define NET_PACKET_MAX 2048 /* larger datagrams are a mistake of the program */

typedef struct net net;

/* Faults of one direction. All zero: an ideal wire without delay. */
typedef struct net_path {
    rt_time delay;  /* one way */
    rt_time jitter; /* up to so much more, evenly; packets keep their order */

    double bandwidth;  /* bits per second; 0: no limit */
    uint32_t queue;    /* bytes that may wait for the link, then drop-tail; 0: no limit */
    uint32_t overhead; /* bytes that each packet costs the link besides its own (IP, UDP: 28) */
    uint32_t mtu;      /* larger packets vanish; 0: no limit */

    double loss; /* of each packet, independent */
    /* Gilbert-Elliott: a bad phase begins with a packet by chance `burst_enter`, ends by `burst_leave`, and
     * loses by `burst_loss` in between (1 / burst_leave packets on average). */
    double burst_enter, burst_leave, burst_loss;

    double reorder;        /* of each packet: it comes late by up to `reorder_delay`, others overtake it */
    rt_time reorder_delay; /* 0 with reorder > 0: one `delay` */
    double duplicate;      /* of each packet: a copy comes later by up to `reorder_delay` */
    double corrupt;        /* of each packet: one byte differs */
    double truncate;       /* of each packet: its end is missing, down to nothing at all */

    rt_time down_from, down_until; /* all packets sent in between are lost */
} net_path;

typedef struct net_path_stats {
    uint64_t sent, bytes_sent;           /* by the node */
    uint64_t delivered, bytes_delivered; /* copies included */
    uint64_t lost, queue_drops, down_drops, mtu_drops;
    uint64_t reordered, duplicated, corrupted, truncated;
    uint32_t queue_peak; /* bytes */
} net_path_stats;

/* Never NULL: the program ends when there is no memory. */
net *net_new(uint64_t seed);
void net_free(net *n);

/* A new node; numbered from 0. */
uint32_t net_node(net *n);
/* The first address of a node, port 0. */
rt_addr net_address(const net *n, uint32_t node);
/* One more IP for a node. The same private IP may exist behind different NATs. */
void net_add_address(net *n, uint32_t node, const rt_addr *ip);

/* Borrowed until the next net_node(); change it at any time. */
net_path *net_path_of(net *n, uint32_t from, uint32_t to);
/* The same faults in both directions. */
void net_set_both(net *n, uint32_t a, uint32_t b, const net_path *path);
net_path_stats net_path_get_stats(const net *n, uint32_t from, uint32_t to);

/* `from` is an address of the node (with the port of its socket). To nowhere: lost, counted in net_lost(). */
void net_send(net *n, uint32_t node, const rt_addr *from, const rt_addr *to, rt_span data, rt_time now);
/* Without addresses, past all NATs. */
void net_send_to(net *n, uint32_t from, uint32_t to, rt_span data, rt_time now);

typedef struct net_packet {
    uint32_t node;      /* where it arrived */
    uint32_t from_node; /* where it came from, whatever its address says */
    rt_addr from, to;   /* as the receiver sees them, behind its NAT */
    rt_time sent, due;
    uint32_t size;
    uint8_t data[NET_PACKET_MAX]; /* the receiver may write into it */
} net_packet;

/* When the next packet arrives; RT_NEVER: nothing is under way. */
rt_time net_next_time(const net *n);
/* The next packet due at `now`, or NULL. Borrowed until the next net_deliver(). */
net_packet *net_deliver(net *n, rt_time now);
/* Packets under way. */
uint32_t net_in_flight(const net *n);
/* Packets to addresses that nobody has, or that a NAT turned away. */
uint64_t net_lost(const net *n);

/* ---- NAT (RFC 4787) ---- */

typedef enum net_nat_rule {
    NET_ENDPOINT_INDEPENDENT,
    NET_ADDRESS_DEPENDENT,
    NET_ADDRESS_AND_PORT_DEPENDENT, /* mapping and filtering: what is called symmetric */
} net_nat_rule;

typedef struct net_nat {
    net_nat_rule mapping;
    net_nat_rule filtering;
    rt_time life; /* of a mapping without outgoing packets; 0: for ever */
    bool hairpin; /* whether its own public address works from inside */
} net_nat;

/* A NAT with a public IP; returns its number. */
uint32_t net_add_nat(net *n, const net_nat *rules, const rt_addr *public_ip);
/* The node's packets go through the NAT from now on, except to nodes behind the same one. */
void net_put_behind(net *n, uint32_t node, uint32_t nat);
/* As after a reboot: all mappings are gone, new ones get other ports. */
void net_nat_forget(net *n, uint32_t nat);

#endif
