/* The virtual network itself: a simulation proves nothing on a network that does not do what it says. */
#include "net.h"
#include "check.h"

static uint32_t send_many(net *n, uint32_t a, uint32_t b, uint32_t count, uint32_t size, rt_time gap)
{
    static uint8_t data[NET_PACKET_MAX];
    uint32_t received = 0;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(data, &i, sizeof i);
        net_send_to(n, a, b, rt_span_of(data, size), i * gap);
    }
    while (net_deliver(n, RT_NEVER - 1))
        received++;
    return received;
}

static net *two_nodes(const net_path *path)
{
    net *n = net_new(11);
    uint32_t a = net_node(n), b = net_node(n);
    net_set_both(n, a, b, path);
    return n;
}

static void test_ideal_wire(void)
{
    net *n = two_nodes(&(net_path){.delay = RT_MS(7)});
    uint8_t data[3] = {1, 2, 3};
    net_send_to(n, 0, 1, rt_span_of(data, 3), 100);
    net_send_to(n, 1, 0, rt_span_of(data, 0), 90);
    CHECK_EQ(net_in_flight(n), 2);
    CHECK_EQ(net_next_time(n), RT_MS(7) + 90);
    CHECK(net_deliver(n, RT_MS(7) + 89) == NULL);
    net_packet *p = net_deliver(n, RT_MS(8));
    CHECK(p->node == 0 && p->from_node == 1 && p->size == 0 && p->sent == 90);
    p = net_deliver(n, RT_MS(8));
    CHECK(p->node == 1 && p->size == 3 && p->due == RT_MS(7) + 100);
    CHECK_BYTES(p->data, data, 3);
    CHECK(net_deliver(n, RT_NEVER) == NULL);
    CHECK_EQ(net_next_time(n), RT_NEVER);
    CHECK_EQ(net_in_flight(n), 0);
    net_free(n);
}

static void test_random_loss(void)
{
    net *n = two_nodes(&(net_path){.loss = 0.05});
    uint32_t received = send_many(n, 0, 1, 100000, 10, 1000);
    CHECK(received > 94500 && received < 95500);
    CHECK_EQ(net_path_get_stats(n, 0, 1).lost, 100000 - received);
    CHECK_EQ(net_path_get_stats(n, 1, 0).sent, 0);
    net_free(n);
}

static void test_burst_loss(void)
{
    /* In the bad phase 0.01 / (0.01 + 0.2) = 4.8% of the time, five packets long on average. */
    net *n = two_nodes(&(net_path){.burst_enter = 0.01, .burst_leave = 0.2, .burst_loss = 1});
    uint32_t last = 0, runs = 0, lost = 0;
    uint8_t data[4];
    for (uint32_t i = 0; i < 200000; i++) {
        memcpy(data, &i, 4);
        net_send_to(n, 0, 1, rt_span_of(data, 4), i);
    }
    for (net_packet *p; (p = net_deliver(n, RT_SECONDS(1)));) {
        uint32_t number;
        memcpy(&number, p->data, 4);
        runs += number > last + 1;
        lost += number - last - (number > last);
        last = number;
    }
    CHECK(lost > 8000 && lost < 11000);
    CHECK(lost / runs >= 4 && lost / runs <= 6);
    net_free(n);
}

static void test_bandwidth_and_queue(void)
{
    net *n = two_nodes(&(net_path){.bandwidth = 8e6, .queue = 20000, .delay = RT_MS(5)});
    uint8_t data[1000] = {0};
    for (int i = 0; i < 100; i++)
        net_send_to(n, 0, 1, rt_span_of(data, 1000), 0); /* one goes in a millisecond */
    CHECK_EQ(net_in_flight(n), 20);
    CHECK_EQ(net_path_get_stats(n, 0, 1).queue_drops, 80);
    CHECK_EQ(net_path_get_stats(n, 0, 1).queue_peak, 20000);
    for (int i = 1; i <= 20; i++) {
        CHECK_EQ(net_next_time(n), RT_MS(5 + i));
        CHECK(net_deliver(n, RT_MS(5 + i)) != NULL);
    }
    CHECK(net_deliver(n, RT_SECONDS(9)) == NULL);
    net_send_to(n, 0, 1, rt_span_of(data, 1000), RT_SECONDS(1)); /* an idle link has saved nothing up */
    CHECK_EQ(net_next_time(n), RT_SECONDS(1) + RT_MS(6));
    net_free(n);
}

static void test_jitter_keeps_order_and_reorder_breaks_it(void)
{
    for (int reorder = 0; reorder < 2; reorder++) {
        net *n = two_nodes(&(net_path){
            .delay = RT_MS(10), .jitter = RT_MS(5), .reorder = reorder ? 0.05 : 0, .reorder_delay = RT_MS(20)});
        uint32_t overtaken = 0, highest = 0;
        uint8_t data[4];
        for (uint32_t i = 0; i < 20000; i++) {
            memcpy(data, &i, 4);
            net_send_to(n, 0, 1, rt_span_of(data, 4), i * RT_US(100));
        }
        rt_time last = 0;
        for (net_packet *p; (p = net_deliver(n, RT_SECONDS(9)));) {
            uint32_t number;
            memcpy(&number, p->data, 4);
            CHECK(p->due >= last && p->due >= p->sent + RT_MS(10));
            last = p->due;
            overtaken += number < highest;
            highest = number > highest ? number : highest;
        }
        if (reorder)
            CHECK(overtaken > 800 && overtaken < 1200);
        else
            CHECK_EQ(overtaken, 0);
        net_free(n);
    }
}

static void test_copies_corruption_truncation(void)
{
    net *n = two_nodes(&(net_path){.duplicate = 0.1, .corrupt = 0.1, .truncate = 0.1, .reorder_delay = RT_MS(1)});
    uint32_t corrupt = 0, cut = 0;
    const uint8_t data[50] = {0};
    for (uint32_t i = 0; i < 10000; i++)
        net_send_to(n, 0, 1, rt_span_of(data, 50), i);
    for (net_packet *p; (p = net_deliver(n, RT_SECONDS(9)));) {
        cut += p->size < 50;
        for (uint32_t i = 0; i < p->size; i++)
            corrupt += p->data[i] != 0;
    }
    net_path_stats stats = net_path_get_stats(n, 0, 1);
    CHECK_EQ(stats.delivered, 10000 + stats.duplicated);
    CHECK(stats.duplicated > 900 && stats.duplicated < 1100);
    CHECK(stats.corrupted > 900 && stats.corrupted < 1100 && corrupt > 900);
    CHECK(stats.truncated > 900 && stats.truncated < 1100 && cut > 900);
    net_free(n);
}

static void test_down_and_mtu(void)
{
    net *n = two_nodes(&(net_path){.down_from = 1000, .down_until = 2000, .mtu = 100});
    CHECK_EQ(send_many(n, 0, 1, 30, 100, 100), 20);
    CHECK_EQ(send_many(n, 0, 1, 1, 101, 0), 0);
    CHECK_EQ(net_path_get_stats(n, 0, 1).down_drops, 10);
    CHECK_EQ(net_path_get_stats(n, 0, 1).mtu_drops, 1);
    net_free(n);
}

static void test_same_seed_same_network(void)
{
    uint64_t sums[3] = {0};
    for (int run = 0; run < 3; run++) {
        net *n = net_new(run < 2 ? 5 : 6);
        net_node(n), net_node(n);
        *net_path_of(n, 0, 1) =
            (net_path){.loss = 0.1, .jitter = RT_MS(3), .duplicate = 0.1, .reorder = 0.1, .delay = RT_MS(3)};
        for (uint32_t i = 0; i < 1000; i++)
            net_send_to(n, 0, 1, rt_span_of(&i, 4), i * RT_US(50));
        for (net_packet *p; (p = net_deliver(n, RT_SECONDS(9)));)
            sums[run] = sums[run] * 31 + (uint64_t)p->due + p->data[0];
        net_free(n);
    }
    CHECK(sums[0] == sums[1]);
    CHECK(sums[0] != sums[2]);
}

/* ---- NAT ---- */

static rt_addr at(const char *ip, uint16_t port)
{
    rt_addr addr;
    CHECK(rt_addr_parse_ip(ip, strlen(ip), port, &addr));
    return addr;
}

/* Sends one packet and returns how it arrived; node NET_PACKET_MAX for not at all. */
static net_packet arrives(net *n, uint32_t node, rt_addr from, rt_addr to, rt_time now)
{
    net_packet none = {.node = NET_PACKET_MAX};
    net_send(n, node, &from, &to, rt_span_of("x", 1), now);
    net_packet *p = net_deliver(n, now);
    return p ? *p : none;
}

static void test_open_network(void)
{
    net *n = net_new(1);
    uint32_t a = net_node(n), b = net_node(n);
    rt_addr from = net_address(n, a), six = at("2001:db8::2", 7);
    from.port = 5;
    net_add_address(n, b, &six);
    net_packet p = arrives(n, a, from, six, 0);
    CHECK(p.node == b && rt_addr_equal(&p.from, &from) && rt_addr_equal(&p.to, &six));
    CHECK_EQ(arrives(n, a, from, at("192.0.2.200", 1), 0).node, NET_PACKET_MAX);
    CHECK_EQ(net_lost(n), 1);
    net_free(n);
}

static void test_nat(net_nat_rule mapping, net_nat_rule filtering)
{
    net *n = net_new(1);
    uint32_t inside = net_node(n), server = net_node(n), other = net_node(n);
    rt_addr public_ip = at("198.51.100.1", 0), in = net_address(n, inside);
    rt_addr server1 = net_address(n, server), server2 = server1, stranger = net_address(n, other);
    in.port = 1000, server1.port = 3478, server2.port = 3479, stranger.port = 9;
    uint32_t nat = net_add_nat(n, &(net_nat){.mapping = mapping, .filtering = filtering}, &public_ip);
    net_put_behind(n, inside, nat);

    rt_addr outside1 = arrives(n, inside, in, server1, 0).from;
    rt_addr outside2 = arrives(n, inside, in, server2, 0).from;
    rt_addr outside3 = arrives(n, inside, in, stranger, 0).from;
    CHECK(rt_addr_same_ip(&outside1, &public_ip));
    CHECK_EQ(rt_addr_equal(&outside1, &outside2), mapping != NET_ADDRESS_AND_PORT_DEPENDENT);
    CHECK_EQ(rt_addr_equal(&outside1, &outside3), mapping == NET_ENDPOINT_INDEPENDENT);

    net_nat_forget(n, nat);
    rt_addr renewed = arrives(n, inside, in, server1, 0).from;
    CHECK(!rt_addr_equal(&renewed, &outside1));
    net_packet p = arrives(n, server, server1, renewed, 0);
    CHECK(p.node == inside && rt_addr_equal(&p.to, &in) && rt_addr_equal(&p.from, &server1));
    CHECK_EQ(arrives(n, server, server2, renewed, 0).node == inside, filtering != NET_ADDRESS_AND_PORT_DEPENDENT);
    CHECK_EQ(arrives(n, other, stranger, renewed, 0).node == inside, filtering == NET_ENDPOINT_INDEPENDENT);
    CHECK_EQ(arrives(n, server, server1, outside1, 0).node, NET_PACKET_MAX);
    CHECK_EQ(arrives(n, server, server1, in, 0).node, NET_PACKET_MAX); /* private */
    net_free(n);
}

static void test_nat_rules(void)
{
    for (int mapping = 0; mapping < 3; mapping++) {
        for (int filtering = 0; filtering < 3; filtering++)
            test_nat((net_nat_rule)mapping, (net_nat_rule)filtering);
    }
}

static void test_nat_life_hairpin_and_lan(void)
{
    net *n = net_new(1);
    uint32_t a = net_node(n), b = net_node(n), server = net_node(n);
    rt_addr ip1 = at("198.51.100.1", 0), ip2 = at("198.51.100.2", 0);
    rt_addr from_a = net_address(n, a), from_b = net_address(n, b), to = net_address(n, server);
    from_a.port = 1, from_b.port = 2, to.port = 3;
    uint32_t plain = net_add_nat(n, &(net_nat){.life = RT_SECONDS(30)}, &ip1);
    uint32_t hairpin = net_add_nat(n, &(net_nat){.hairpin = true}, &ip2);
    net_put_behind(n, a, plain);
    net_put_behind(n, b, plain);
    CHECK_EQ(arrives(n, a, from_a, from_b, 0).node, b); /* the same network inside */
    rt_addr outside_a = arrives(n, a, from_a, to, 0).from;
    CHECK_EQ(arrives(n, b, from_b, outside_a, 0).node, NET_PACKET_MAX);
    CHECK_EQ(arrives(n, server, to, outside_a, RT_SECONDS(30)).node, a);
    CHECK_EQ(arrives(n, server, to, outside_a, RT_SECONDS(31)).node, NET_PACKET_MAX);

    net_put_behind(n, a, hairpin);
    net_put_behind(n, b, hairpin);
    outside_a = arrives(n, a, from_a, to, 0).from;
    net_packet p = arrives(n, b, from_b, outside_a, 0);
    CHECK(p.node == a && rt_addr_same_ip(&p.from, &ip2));
    net_free(n);
}

int main(int argc, char **argv)
{
    RUN(test_ideal_wire);
    RUN(test_random_loss);
    RUN(test_burst_loss);
    RUN(test_bandwidth_and_queue);
    RUN(test_jitter_keeps_order_and_reorder_breaks_it);
    RUN(test_copies_corruption_truncation);
    RUN(test_down_and_mtu);
    RUN(test_same_seed_same_network);
    RUN(test_open_network);
    RUN(test_nat_rules);
    RUN(test_nat_life_hairpin_and_lan);
    CHECK_MAIN_END;
}
