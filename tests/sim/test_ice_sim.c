/* Two ICE agents in a virtual network: every scenario ends connected when a path exists, and says what
 * happened when it does not. A failure prints its seed. */
#include "ice_world.h"

#include "check.h"

#define CHECK_SEED(w, condition)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "seed %llu, at %.3f s, states %d and %d: ", (unsigned long long)(w)->seed,                 \
                    (double)(w)->now / 1e9, (int)rt_ice_get_state((w)->ends[0].ice),                                   \
                    (int)rt_ice_get_state((w)->ends[1].ice));                                                          \
            CHECK(condition);                                                                                          \
        }                                                                                                              \
    } while (0)

static const net_nat FULL_CONE = {NET_ENDPOINT_INDEPENDENT, NET_ENDPOINT_INDEPENDENT, RT_SECONDS(60), false};
static const net_nat PORT_RESTRICTED = {NET_ENDPOINT_INDEPENDENT, NET_ADDRESS_AND_PORT_DEPENDENT, RT_SECONDS(60),
                                        false};
static const net_nat SYMMETRIC = {NET_ADDRESS_AND_PORT_DEPENDENT, NET_ADDRESS_AND_PORT_DEPENDENT, RT_SECONDS(60),
                                  false};

static void set_delay(world *w, rt_time delay)
{
    net_set_both(w->net, 0, 1, &(net_path){.delay = delay});
}

static rt_ice_pair_stats selected_pair(const world *w, uint32_t end)
{
    rt_ice_pair_stats pair = {0};
    for (uint32_t i = 0; rt_ice_pair(w->ends[end].ice, i, &pair); i++) {
        if (pair.selected)
            return pair;
    }
    CHECK(!"no selected pair");
    return pair;
}

static rt_ice_type selected_local(const world *w, uint32_t end)
{
    return rt_ice_local(w->ends[end].ice, selected_pair(w, end).local)->type;
}

static rt_ice_type selected_remote(const world *w, uint32_t end)
{
    return rt_ice_remote(w->ends[end].ice, selected_pair(w, end).remote)->type;
}

static void test_two_hosts(void)
{
    world *w = world_new(1);
    set_delay(w, RT_MS(1));
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_completed));
    /* Signalling costs 10 ms; then one round trip makes the pair valid and one more nominates it. */
    CHECK(w->now <= RT_MS(10 + 5));
    CHECK(world_paths_meet(w));
    for (uint32_t i = 0; i < 2; i++) {
        const world_end *end = &w->ends[i];
        CHECK(world_reached(w, i, RT_ICE_CHECKING) && world_reached(w, i, RT_ICE_CONNECTED));
        CHECK_EQ(end->selected_events, 1);
        CHECK(selected_pair(w, i).nominated);
        CHECK(selected_pair(w, i).current_round_trip >= RT_MS(2));
        CHECK_EQ(selected_local(w, i), RT_ICE_HOST);
        CHECK_EQ(selected_remote(w, i), RT_ICE_HOST);
        CHECK_EQ(end->data_strange, 0);
    }
    CHECK(w->ends[0].datagrams_sent <= 8);
    world_free(w);
}

static void test_early_check_is_answered_and_remembered(void)
{
    world *w = world_new(2);
    w->signal_delay = RT_MS(200); /* the answer takes long; the answerer's checks arrive long before */
    w->ends[1].no_trickle = true;
    set_delay(w, RT_MS(1));
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_connected));
    CHECK(w->now <= RT_MS(400 + 5));
    CHECK(world_reached(w, 1, RT_ICE_CONNECTED));
    CHECK_EQ(selected_remote(w, 0), RT_ICE_PRFLX);
    CHECK(world_paths_meet(w));
    world_free(w);
}

static void test_prflx_becomes_host_when_signalled(void)
{
    world *w = world_new(3);
    w->signal_delay = RT_MS(50);
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(2), both_completed));
    CHECK_EQ(selected_remote(w, 0), RT_ICE_HOST);
    rt_ice_stats stats;
    rt_ice_get_stats(w->ends[0].ice, &stats);
    CHECK_EQ(stats.remote_count, 1);
    CHECK_EQ(stats.pair_count, 1);
    world_free(w);
}

static void test_ipv6_and_ipv4(void)
{
    world *w = world_new(4);
    const char *ips[2] = {"2001:db8::1", "2001:db8::2"};
    for (uint32_t i = 0; i < 2; i++) {
        world_end *end = &w->ends[i];
        rt_addr ip = world_ip(ips[i]);
        net_add_address(w->net, end->node, &ip);
        end->hosts[1] = end->hosts[0];
        end->hosts[0] = ip;
        end->hosts[0].port = 5000;
        end->host_count = 2;
    }
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_completed));
    uint16_t socket;
    rt_addr to;
    CHECK(rt_ice_path(w->ends[0].ice, &socket, &to));
    CHECK(socket == 0 && to.family == 6);
    rt_ice_stats stats;
    rt_ice_get_stats(w->ends[0].ice, &stats);
    CHECK_EQ(stats.pair_count, 2); /* families are not mixed */
    world_free(w);
}

static void test_srflx_through_port_restricted_nats(void)
{
    world *w = world_new(5);
    world_add_server(w);
    world_add_server(w);
    for (uint32_t i = 0; i < 2; i++)
        world_put_behind(w, i, &PORT_RESTRICTED);
    set_delay(w, RT_MS(20));
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(3), both_completed));
    CHECK(world_paths_meet(w));
    CHECK_EQ(selected_local(w, 0), RT_ICE_SRFLX);
    CHECK_EQ(selected_remote(w, 0), RT_ICE_SRFLX);
    rt_ice_stats stats;
    rt_ice_get_stats(w->ends[0].ice, &stats);
    CHECK_EQ(stats.local_count, 2); /* both servers show the same mapping: one candidate */
    world_free(w);
}

static void nat_pair(const net_nat *a, const net_nat *b, bool possible)
{
    world *w = world_new(6);
    world_add_server(w);
    world_put_behind(w, 0, a);
    world_put_behind(w, 1, b);
    set_delay(w, RT_MS(10));
    world_start(w);
    if (possible) {
        CHECK_SEED(w, world_until(w, RT_SECONDS(5), both_connected));
        CHECK_SEED(w, world_paths_meet(w));
    } else {
        CHECK_SEED(w, world_until(w, RT_SECONDS(60), both_failed));
    }
    world_free(w);
}

static void test_nat_matrix(void)
{
    nat_pair(&FULL_CONE, &FULL_CONE, true);
    nat_pair(&SYMMETRIC, &FULL_CONE, true); /* the symmetric side appears as peer-reflexive */
    nat_pair(&FULL_CONE, &SYMMETRIC, true);
    nat_pair(&PORT_RESTRICTED, &FULL_CONE, true);
    nat_pair(&SYMMETRIC, &SYMMETRIC, false); /* needs a relay */
    nat_pair(&SYMMETRIC, &PORT_RESTRICTED, false);
}

static void test_symmetric_to_full_cone_is_peer_reflexive(void)
{
    world *w = world_new(7);
    world_add_server(w);
    world_put_behind(w, 0, &SYMMETRIC);
    world_put_behind(w, 1, &FULL_CONE);
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(5), both_connected));
    CHECK_EQ(selected_local(w, 0), RT_ICE_PRFLX);
    CHECK_EQ(selected_remote(w, 1), RT_ICE_PRFLX);
    world_free(w);
}

static void test_dead_server_is_reported_and_does_not_hold_up(void)
{
    world *w = world_new(8);
    world_add_server(w);
    world_add_server(w);
    w->server_dead[1] = true;
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_connected));
    CHECK(!both_completed(w));
    CHECK(world_until(w, RT_SECONDS(7), both_completed));
    CHECK_EQ(w->ends[0].error_events, 1);
    CHECK_EQ(w->ends[0].last_error_server, 1);
    CHECK_EQ(w->ends[0].last_error_code, 701);
    world_free(w);
}

static void role_conflict(bool both_controlling, uint64_t seed)
{
    world *w = world_new(seed);
    w->ends[0].config.controlling = w->ends[1].config.controlling = both_controlling;
    set_delay(w, RT_MS(3));
    world_start(w);
    CHECK_SEED(w, world_until(w, RT_SECONDS(5), both_completed));
    CHECK_SEED(w, rt_ice_controlling(w->ends[0].ice) != rt_ice_controlling(w->ends[1].ice));
    CHECK_SEED(w, w->ends[0].role_events + w->ends[1].role_events == 1);
    CHECK_SEED(w, world_paths_meet(w));
    world_free(w);
}

static void test_role_conflicts(void)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        role_conflict(true, seed);
        role_conflict(false, seed);
    }
}

static void lite(uint32_t end)
{
    world *w = world_new(10);
    w->ends[end].config.lite = w->ends[end].says_lite = true;
    w->ends[end].config.controlling = false;
    world_put_behind(w, !end, &PORT_RESTRICTED);
    set_delay(w, RT_MS(5));
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(2), both_completed));
    CHECK(world_paths_meet(w));
    CHECK(!rt_ice_controlling(w->ends[end].ice) && rt_ice_controlling(w->ends[!end].ice));
    CHECK_EQ(selected_pair(w, end).requests_sent, 0);
    /* It lives from the peer's consent checks ... */
    world_until(w, RT_SECONDS(120), NULL);
    CHECK(both_completed(w));
    CHECK(!world_reached(w, end, RT_ICE_DISCONNECTED));
    /* ... and notices when they stop. */
    w->ends[!end].silent = true;
    world_until(w, RT_SECONDS(20), NULL);
    CHECK_EQ(rt_ice_get_state(w->ends[end].ice), RT_ICE_DISCONNECTED);
    world_until(w, RT_SECONDS(20), NULL);
    CHECK_EQ(rt_ice_get_state(w->ends[end].ice), RT_ICE_FAILED);
    world_free(w);
}

static void test_lite_answerer(void)
{
    lite(1);
}

static void test_lite_offerer(void)
{
    lite(0);
}

static void test_both_lite(void)
{
    world *w = world_new(11);
    for (int i = 0; i < 2; i++)
        w->ends[i].config.lite = w->ends[i].says_lite = true;
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_completed));
    CHECK(world_paths_meet(w));
    world_until(w, RT_SECONDS(100), NULL);
    CHECK(both_completed(w));
    CHECK_EQ(w->ends[0].datagrams_sent, 0);
    world_free(w);
}

static void test_consent_is_kept_and_costs_little(void)
{
    world *w = world_new(12);
    set_delay(w, RT_MS(30));
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_completed));
    uint64_t before = w->ends[0].datagrams_sent;
    world_until(w, RT_SECONDS(600), NULL);
    CHECK(both_completed(w));
    rt_ice_pair_stats pair = selected_pair(w, 0);
    CHECK(pair.consent_requests_sent >= 100 && pair.consent_requests_sent <= 150); /* every 4 to 6 s */
    CHECK(w->ends[0].datagrams_sent - before <= 300);                              /* and as many answers */
    world_free(w);
}

static void test_outage_is_disconnected_then_recovered(void)
{
    world *w = world_new(13);
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_completed));
    net_path down = {.down_from = w->now, .down_until = w->now + RT_SECONDS(20)};
    net_set_both(w->net, 0, 1, &down);
    world_until(w, RT_SECONDS(12), NULL);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rt_ice_get_state(w->ends[i].ice), RT_ICE_DISCONNECTED);
    world_until(w, RT_SECONDS(11), NULL); /* 3 s after the outage */
    CHECK(both_completed(w));
    CHECK(world_paths_meet(w));
    world_free(w);
}

static void test_dead_peer_is_disconnected_then_failed(void)
{
    world *w = world_new(14);
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_completed));
    w->ends[1].silent = true;
    rt_time begun = w->now;
    world_until(w, RT_SECONDS(12), NULL);
    CHECK_EQ(rt_ice_get_state(w->ends[0].ice), RT_ICE_DISCONNECTED);
    while (rt_ice_get_state(w->ends[0].ice) != RT_ICE_FAILED && w->now < begun + RT_SECONDS(60))
        world_until(w, RT_MS(100), NULL);
    CHECK(w->now >= begun + RT_SECONDS(24) && w->now <= begun + RT_SECONDS(31)); /* 30 s after the last answer */
    uint16_t socket;
    rt_addr to;
    CHECK(!rt_ice_path(w->ends[0].ice, &socket, &to));
    uint64_t sent = w->ends[0].datagrams_sent;
    world_until(w, RT_SECONDS(100), NULL);
    CHECK_EQ(w->ends[0].datagrams_sent, sent); /* without consent nothing may go out */
    CHECK_EQ(rt_ice_deadline(w->ends[0].ice), RT_NEVER);

    w->ends[1].silent = false;
    world_restart(w, 0);
    CHECK(world_until(w, RT_SECONDS(5), both_connected));
    CHECK(world_paths_meet(w));
    world_free(w);
}

static void test_nobody_there_fails(void)
{
    world *w = world_new(15);
    w->ends[1].silent = true;
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(60), both_failed));
    CHECK(w->now >= RT_SECONDS(15));
    world_free(w);
}

static void test_no_candidates_fails_after_patience(void)
{
    world *w = world_new(16);
    w->ends[0].no_trickle = w->ends[1].no_trickle = true;
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(60), both_failed));
    CHECK(w->now >= RT_SECONDS(15) && w->now < RT_SECONDS(16));
    world_free(w);
}

static void restart_under_traffic(uint32_t who, bool remote_first)
{
    world *w = world_new(17);
    w->data_every = RT_MS(20);
    w->signal_delay = RT_MS(300);
    w->ends[0].remote_first = w->ends[1].remote_first = remote_first;
    set_delay(w, RT_MS(10));
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(3), both_completed));
    world_until(w, RT_SECONDS(1), NULL);
    for (int round = 0; round < 5; round++) {
        char ufrag[RT_ICE_UFRAG_MAX];
        strcpy(ufrag, rt_ice_local_ufrag(w->ends[!who].ice));
        world_restart(w, who);
        CHECK(world_until(w, RT_SECONDS(5), both_completed));
        CHECK(strcmp(ufrag, rt_ice_local_ufrag(w->ends[!who].ice)) != 0);
        world_until(w, RT_SECONDS(7), NULL);
    }
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(w->ends[i].longest_gap <= RT_MS(40));
        CHECK_EQ(w->ends[i].data_strange, 0);
        CHECK(!world_reached(w, i, RT_ICE_DISCONNECTED) && !world_reached(w, i, RT_ICE_FAILED));
    }
    world_free(w);
}

static void test_restart_under_traffic(void)
{
    for (int i = 0; i < 4; i++)
        restart_under_traffic(i & 1, i & 2);
}

static void test_restart_that_takes_long_keeps_the_old_path(void)
{
    world *w = world_new(18);
    w->data_every = RT_MS(20);
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(3), both_completed));
    world_until(w, RT_SECONDS(1), NULL);
    w->signal_delay = RT_SECONDS(60); /* longer than consent lasts */
    world_restart(w, 0);
    CHECK_EQ(rt_ice_get_state(w->ends[0].ice), RT_ICE_CONNECTED);
    world_until(w, RT_SECONDS(115), NULL);
    CHECK(both_connected(w));
    world_until(w, RT_SECONDS(90), NULL);
    CHECK(both_completed(w));
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(w->ends[i].longest_gap <= RT_MS(40));
        CHECK(!world_reached(w, i, RT_ICE_DISCONNECTED));
    }
    world_free(w);
}

static void test_restart_moves_to_another_address(void)
{
    world *w = world_new(19);
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(1), both_completed));
    rt_addr ip = world_ip("192.0.2.77");
    net_add_address(w->net, 0, &ip);
    w->ends[0].hosts[0] = ip;
    w->ends[0].hosts[0].port = 999;
    world_restart(w, 0);
    CHECK(world_until(w, RT_SECONDS(5), both_completed));
    uint16_t socket;
    rt_addr to;
    CHECK(rt_ice_path(w->ends[1].ice, &socket, &to));
    CHECK(rt_addr_equal(&to, &w->ends[0].hosts[0]));
    CHECK(world_paths_meet(w));
    world_free(w);
}

static void test_rebound_nat_is_followed_by_restart(void)
{
    world *w = world_new(20);
    world_add_server(w);
    rt_addr public_ip = world_ip("198.51.100.7");
    uint32_t nat = net_add_nat(w->net, &PORT_RESTRICTED, &public_ip);
    net_put_behind(w->net, 0, nat);
    world_start(w);
    CHECK(world_until(w, RT_SECONDS(2), both_completed));
    net_nat_forget(w->net, nat);
    world_until(w, RT_SECONDS(14), NULL);
    world_restart(w, 1);
    CHECK(world_until(w, RT_SECONDS(5), both_connected));
    CHECK(world_paths_meet(w));
    world_free(w);
}

static uint64_t seeds(uint64_t many)
{
    return getenv("RTCORE_SANITIZED") ? many / 20 : many;
}

/* Many hosts, NATs, loss, reordering, duplication, roles: all drawn from the seed; a path always exists. */
static world *random_world(uint64_t seed)
{
    world *w = world_new(seed);
    rt_random dice;
    rt_random_init_number(&dice, seed ^ 0x5eed);
    for (uint32_t i = 0; i < rt_random_below(&dice, 3); i++)
        world_add_server(w);
    w->signal_delay = RT_MS(1 + rt_random_below(&dice, 300));
    const net_nat *nats[] = {NULL, NULL, &FULL_CONE, &PORT_RESTRICTED};
    const net_nat *nat = w->server_count ? nats[rt_random_below(&dice, 4)] : NULL;
    uint32_t behind = rt_random_below(&dice, 2);
    if (nat)
        world_put_behind(w, behind, nat);
    for (uint32_t i = 0; i < 2; i++) {
        world_end *end = &w->ends[i];
        end->remote_first = rt_random_below(&dice, 2);
        for (uint32_t h = 0; h < rt_random_below(&dice, 3) && end->host_count < WORLD_HOSTS; h++) {
            char text[32]; /* an interface that leads nowhere */
            sprintf(text, "172.16.%u.%u", i, h + 1);
            end->hosts[end->host_count] = end->hosts[0];
            end->hosts[end->host_count] = world_ip(text);
            end->hosts[end->host_count++].port = 1234;
        }
        if (end->host_count > 1 && rt_random_below(&dice, 2)) { /* and perhaps seems to be the best */
            rt_addr first = end->hosts[0];
            end->hosts[0] = end->hosts[1];
            end->hosts[1] = first;
        }
    }
    if (rt_random_below(&dice, 3) == 0)
        w->ends[0].config.controlling = w->ends[1].config.controlling = rt_random_below(&dice, 2);
    net_path path = {
        .delay = RT_MS(rt_random_below(&dice, 100)),
        .jitter = RT_MS(rt_random_below(&dice, 20)),
        .loss = 0.01 * rt_random_below(&dice, 21),
        .reorder = 0.01 * rt_random_below(&dice, 30),
        .reorder_delay = RT_MS(30),
        .duplicate = 0.01 * rt_random_below(&dice, 20),
        .corrupt = 0.01 * rt_random_below(&dice, 5),
        .truncate = 0.01 * rt_random_below(&dice, 5),
    };
    net_set_both(w->net, 0, 1, &path);
    return w;
}

static void test_thousands_of_networks_connect(void)
{
    rt_time worst = 0;
    for (uint64_t seed = 1; seed <= seeds(3000); seed++) {
        world *w = random_world(seed);
        world_start(w);
        CHECK_SEED(w, world_until(w, RT_SECONDS(40), both_completed));
        CHECK_SEED(w, rt_ice_controlling(w->ends[0].ice) != rt_ice_controlling(w->ends[1].ice));
        CHECK_SEED(w, world_paths_meet(w));
        worst = rt_time_max(worst, w->now);
        world_free(w);
    }
    printf("slowest of all: %.1f s\n", (double)worst / 1e9);
}

static void test_restarts_in_random_networks(void)
{
    for (uint64_t seed = 1; seed <= seeds(600); seed++) {
        world *w = random_world(seed);
        w->data_every = RT_MS(100);
        world_start(w);
        CHECK_SEED(w, world_until(w, RT_SECONDS(40), both_completed));
        for (int round = 0; round < 3; round++) {
            world_restart(w, (uint32_t)(seed >> round & 1));
            CHECK_SEED(w, world_until(w, RT_SECONDS(60), both_completed));
        }
        CHECK_SEED(w, world_paths_meet(w));
        world_free(w);
    }
}

int main(int argc, char **argv)
{
    RUN(test_two_hosts);
    RUN(test_early_check_is_answered_and_remembered);
    RUN(test_prflx_becomes_host_when_signalled);
    RUN(test_ipv6_and_ipv4);
    RUN(test_srflx_through_port_restricted_nats);
    RUN(test_nat_matrix);
    RUN(test_symmetric_to_full_cone_is_peer_reflexive);
    RUN(test_dead_server_is_reported_and_does_not_hold_up);
    RUN(test_role_conflicts);
    RUN(test_lite_answerer);
    RUN(test_lite_offerer);
    RUN(test_both_lite);
    RUN(test_consent_is_kept_and_costs_little);
    RUN(test_outage_is_disconnected_then_recovered);
    RUN(test_dead_peer_is_disconnected_then_failed);
    RUN(test_nobody_there_fails);
    RUN(test_no_candidates_fails_after_patience);
    RUN(test_restart_under_traffic);
    RUN(test_restart_that_takes_long_keeps_the_old_path);
    RUN(test_restart_moves_to_another_address);
    RUN(test_rebound_nat_is_followed_by_restart);
    RUN(test_thousands_of_networks_connect);
    RUN(test_restarts_in_random_networks);
    CHECK_MAIN_END;
}
