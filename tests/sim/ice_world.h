/* Two ICE agents on the virtual network, with their signalling, STUN servers and a trickle of data.
 *
 *     world *w = world_new(seed);                    ideal wires, one IPv4 address each, no servers
 *     w->ends[1].config.lite = true;                 change what the scenario is about
 *     world_start(w);                                ends[0] offers, ends[1] answers
 *     CHECK(world_until(w, RT_SECONDS(5), both_connected));
 */
#ifndef RT_SIM_ICE_WORLD_H
#define RT_SIM_ICE_WORLD_H

#include "net.h"
#include "proto/ice.h"

enum { WORLD_HOSTS = 4, WORLD_SERVERS = 3, WORLD_SIGNALS = 512, WORLD_STATES = 64 };

typedef struct world_end {
    rt_ice *ice;
    rt_ice_config config;
    rt_random random;
    uint32_t node;
    rt_addr hosts[WORLD_HOSTS]; /* the socket's number is the index */
    uint32_t host_count;
    bool silent;       /* killed: neither receives nor sends */
    bool no_trickle;   /* signals nothing but its credentials */
    bool says_lite;    /* the other end is told that this one is lite */
    bool remote_first; /* answers a restart by remote credentials, then rt_ice_restart; else the other way */

    rt_ice_state states[WORLD_STATES]; /* that were reported, in order */
    uint32_t state_count;
    uint32_t selected_events, role_events, error_events;
    uint16_t last_error_server, last_error_code;
    uint64_t data_received, data_strange; /* strange: from where rt_ice_knows() says no */
    rt_time last_data, longest_gap;
    uint64_t datagrams_sent;
} world_end;

typedef struct world_signal {
    rt_time due;
    uint32_t to;
    enum { SIGNAL_OFFER, SIGNAL_ANSWER, SIGNAL_CANDIDATE, SIGNAL_END } type;
    char ufrag[RT_ICE_UFRAG_MAX], pwd[RT_ICE_PWD_MAX];
    rt_ice_candidate candidate;
} world_signal;

typedef struct world {
    net *net;
    uint64_t seed;
    rt_time now;
    world_end ends[2];
    rt_time signal_delay;
    world_signal signals[WORLD_SIGNALS];
    uint32_t signal_first, signal_count;
    uint32_t server_nodes[WORLD_SERVERS];
    rt_addr servers[WORLD_SERVERS];
    bool server_dead[WORLD_SERVERS];
    uint32_t server_count;
    rt_time data_every, next_data; /* both ends send a datagram so often once they have a path; 0: never */
    uint64_t idle_steps;
} world;

world *world_new(uint64_t seed);
void world_free(world *w);
rt_addr world_ip(const char *text);
/* A STUN server with a public address. */
void world_add_server(world *w);
/* The end gets a NAT of these rules in front of it. */
void world_put_behind(world *w, uint32_t end, const net_nat *rules);
void world_start(world *w);
void world_restart(world *w, uint32_t end);

typedef bool world_goal(const world *w);
/* Runs until the goal is met (true) or so much more time has passed (false). NULL: for that time. */
bool world_until(world *w, rt_time span, world_goal *goal);

bool both_connected(const world *w); /* connected or completed */
bool both_completed(const world *w);
bool both_failed(const world *w);
bool world_reached(const world *w, uint32_t end, rt_ice_state state); /* ever */
/* Both have a path and each path leads to the other: what is sent arrives. */
bool world_paths_meet(world *w);

#endif
