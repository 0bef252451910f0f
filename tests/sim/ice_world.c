#include "ice_world.h"

#include "check.h"
#include "wire/stun.h"

rt_addr world_ip(const char *text)
{
    rt_addr addr;
    CHECK(rt_addr_parse_ip(text, strlen(text), 0, &addr));
    return addr;
}

world *world_new(uint64_t seed)
{
    world *w = calloc(1, sizeof *w);
    CHECK(w);
    w->seed = seed;
    w->net = net_new(seed);
    w->signal_delay = RT_MS(5);
    for (uint32_t i = 0; i < 2; i++) {
        world_end *end = &w->ends[i];
        end->node = net_node(w->net);
        end->hosts[0] = net_address(w->net, end->node);
        end->hosts[0].port = (uint16_t)(40000 + i);
        end->host_count = 1;
        rt_random_init_number(&end->random, 2 * seed + i);
        rt_ice_config_default(&end->config);
        end->config.random = &end->random;
        end->config.controlling = i == 0;
        end->last_data = RT_NEVER;
    }
    return w;
}

void world_free(world *w)
{
    for (int i = 0; i < 2; i++)
        rt_ice_free(w->ends[i].ice);
    net_free(w->net);
    free(w);
}

void world_add_server(world *w)
{
    uint32_t i = w->server_count++;
    CHECK(i < WORLD_SERVERS);
    w->server_nodes[i] = net_node(w->net);
    w->servers[i] = net_address(w->net, w->server_nodes[i]);
    w->servers[i].port = 3478;
}

void world_put_behind(world *w, uint32_t end, const net_nat *rules)
{
    rt_addr public_ip = world_ip(end ? "198.51.100.2" : "198.51.100.1");
    net_put_behind(w->net, w->ends[end].node, net_add_nat(w->net, rules, &public_ip));
}

static world_signal *signal_to(world *w, uint32_t end, int type)
{
    CHECK(w->signal_count < WORLD_SIGNALS);
    world_signal *signal = &w->signals[(w->signal_first + w->signal_count++) % WORLD_SIGNALS];
    *signal = (world_signal){.due = w->now + w->signal_delay, .to = end};
    signal->type = type;
    return signal;
}

static void describe(world *w, uint32_t end, int type)
{
    world_signal *signal = signal_to(w, !end, type);
    strcpy(signal->ufrag, rt_ice_local_ufrag(w->ends[end].ice));
    strcpy(signal->pwd, rt_ice_local_pwd(w->ends[end].ice));
}

static void gather(world *w, world_end *end)
{
    for (uint32_t i = 0; i < end->host_count; i++)
        CHECK_EQ(rt_ice_add_host(end->ice, (uint16_t)i, &end->hosts[i], (uint16_t)(65535 - i), w->now), RT_OK);
    for (uint32_t i = 0; i < w->server_count; i++)
        CHECK_EQ(rt_ice_add_server(end->ice, (uint16_t)i, &w->servers[i], w->now), RT_OK);
    rt_ice_end_of_local(end->ice, w->now);
}

static void take_credentials(world *w, world_end *end, const world_signal *signal)
{
    CHECK_EQ(rt_ice_set_remote_credentials(end->ice, rt_span_text(signal->ufrag), rt_span_text(signal->pwd), w->now),
             RT_OK);
}

static void take_offer(world *w, uint32_t to, const world_signal *signal)
{
    world_end *end = &w->ends[to];
    bool again = end->state_count > 0;
    if (w->ends[!to].says_lite)
        rt_ice_set_remote_lite(end->ice, true);
    if (again && end->remote_first) {
        take_credentials(w, end, signal);
        rt_ice_restart(end->ice, w->now);
    } else {
        if (again)
            rt_ice_restart(end->ice, w->now);
        take_credentials(w, end, signal);
    }
    gather(w, end);
    describe(w, to, SIGNAL_ANSWER);
}

static void take_signal(world *w, const world_signal *signal)
{
    world_end *end = &w->ends[signal->to];
    rt_status status;
    switch (signal->type) {
    case SIGNAL_OFFER: take_offer(w, signal->to, signal); break;
    case SIGNAL_ANSWER:
        if (w->ends[!signal->to].says_lite)
            rt_ice_set_remote_lite(end->ice, true);
        take_credentials(w, end, signal);
        break;
    case SIGNAL_CANDIDATE:
        status = rt_ice_add_remote(end->ice, &signal->candidate, w->now);
        CHECK(status == RT_OK || status == RT_AGAIN);
        break;
    case SIGNAL_END: rt_ice_end_of_remote(end->ice, w->now); break;
    }
}

void world_start(world *w)
{
    for (int i = 0; i < 2; i++) {
        w->ends[i].ice = rt_ice_new(&w->ends[i].config);
        CHECK(w->ends[i].ice);
    }
    describe(w, 0, SIGNAL_OFFER);
    gather(w, &w->ends[0]);
}

void world_restart(world *w, uint32_t end)
{
    rt_ice_restart(w->ends[end].ice, w->now);
    describe(w, end, SIGNAL_OFFER);
    gather(w, &w->ends[end]);
}

static void drain_events(world *w, uint32_t i)
{
    world_end *end = &w->ends[i];
    rt_ice_event event;
    while (rt_ice_event_next(end->ice, &event)) {
        switch (event.type) {
        case RT_ICE_EVENT_CANDIDATE:
            if (!end->no_trickle)
                signal_to(w, !i, SIGNAL_CANDIDATE)->candidate = event.candidate;
            break;
        case RT_ICE_EVENT_GATHERING:
            if (event.gathering == RT_ICE_GATHER_COMPLETE)
                signal_to(w, !i, SIGNAL_END);
            break;
        case RT_ICE_EVENT_STATE:
            CHECK(end->state_count < WORLD_STATES);
            end->states[end->state_count++] = event.state;
            break;
        case RT_ICE_EVENT_SELECTED: end->selected_events++; break;
        case RT_ICE_EVENT_ROLE: end->role_events++; break;
        case RT_ICE_EVENT_CANDIDATE_ERROR:
            end->error_events++;
            end->last_error_server = event.server;
            end->last_error_code = event.code;
            break;
        }
    }
}

static void drain(world *w, uint32_t i)
{
    world_end *end = &w->ends[i];
    static uint8_t memory[16384];
    rt_packet packets[8];
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, 8);
    while (rt_ice_transmit(end->ice, &batch, w->now)) {
        for (uint32_t k = 0; k < batch.count; k++) {
            const rt_packet *packet = &batch.packets[k];
            CHECK(packet->socket < end->host_count);
            end->datagrams_sent++;
            if (!end->silent)
                net_send(w->net, end->node, &end->hosts[packet->socket], &packet->to,
                         rt_span_of(packet->data, packet->size), w->now);
        }
        rt_batch_reset(&batch);
    }
    drain_events(w, i);
}

static void serve_stun(world *w, uint32_t server, const net_packet *packet)
{
    rt_stun stun;
    uint8_t out[128];
    if (w->server_dead[server] || rt_stun_parse(rt_span_of(packet->data, packet->size), &stun) != RT_OK)
        return;
    rt_writer writer = rt_stun_begin(rt_buffer_of(out, sizeof out), RT_STUN_SUCCESS, RT_STUN_BINDING, stun.transaction);
    rt_stun_add_address(&writer, RT_STUN_XOR_MAPPED_ADDRESS, &packet->from);
    size_t size = rt_stun_end(&writer);
    net_send(w->net, packet->node, &w->servers[server], &packet->from, rt_span_of(out, size), w->now);
}

static void take_packet(world *w, const net_packet *packet)
{
    for (uint32_t i = 0; i < w->server_count; i++) {
        if (packet->node == w->server_nodes[i])
            serve_stun(w, i, packet);
    }
    if (packet->node > 1 || w->ends[packet->node].silent)
        return;
    world_end *end = &w->ends[packet->node];
    for (uint32_t i = 0; i < end->host_count; i++) {
        if (!rt_addr_equal(&end->hosts[i], &packet->to))
            continue;
        if (packet->size && packet->data[0] == 0x80) { /* our data */
            end->data_received++;
            end->data_strange += !rt_ice_knows(end->ice, (uint16_t)i, &packet->from);
            if (end->last_data != RT_NEVER)
                end->longest_gap = rt_time_max(end->longest_gap, w->now - end->last_data);
            end->last_data = w->now;
            rt_ice_count_data(end->ice, (uint16_t)i, &packet->from, false, 1, packet->size, w->now);
        } else {
            (void)rt_ice_receive(end->ice, (uint16_t)i, &packet->from, rt_span_of(packet->data, packet->size), w->now);
        }
    }
}

static void send_data(world *w)
{
    static const uint8_t data[100] = {0x80};
    for (int i = 0; i < 2; i++) {
        world_end *end = &w->ends[i];
        uint16_t socket;
        rt_addr to;
        if (!end->ice || end->silent || !rt_ice_path(end->ice, &socket, &to))
            continue;
        net_send(w->net, end->node, &end->hosts[socket], &to, rt_span_of(data, sizeof data), w->now);
        rt_ice_count_data(end->ice, socket, &to, true, 1, sizeof data, w->now);
    }
}

static void step(world *w)
{
    for (net_packet *packet; (packet = net_deliver(w->net, w->now));)
        take_packet(w, packet);
    while (w->signal_count && w->signals[w->signal_first].due <= w->now) {
        take_signal(w, &w->signals[w->signal_first]);
        w->signal_first = (w->signal_first + 1) % WORLD_SIGNALS;
        w->signal_count--;
    }
    if (w->data_every && w->next_data <= w->now) {
        send_data(w);
        w->next_data = w->now + w->data_every;
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (rt_ice_deadline(w->ends[i].ice) <= w->now)
            rt_ice_expire(w->ends[i].ice, w->now);
        drain(w, i);
        /* What is due now is done now: an event loop would spin otherwise. */
        CHECK(rt_ice_deadline(w->ends[i].ice) > w->now);
    }
}

static rt_time next_time(const world *w)
{
    rt_time next = net_next_time(w->net);
    for (int i = 0; i < 2; i++)
        next = rt_time_min(next, rt_ice_deadline(w->ends[i].ice));
    if (w->signal_count)
        next = rt_time_min(next, w->signals[w->signal_first].due);
    if (w->data_every)
        next = rt_time_min(next, w->next_data);
    return next;
}

bool world_until(world *w, rt_time span, world_goal *goal)
{
    rt_time end = w->now + span;
    step(w);
    for (;;) {
        if (goal && goal(w))
            return true;
        rt_time next = next_time(w);
        if (next > end) {
            w->now = end;
            return false;
        }
        w->now = rt_time_max(w->now, next);
        step(w);
    }
}

static bool connected(const world_end *end)
{
    rt_ice_state state = rt_ice_get_state(end->ice);
    return state == RT_ICE_CONNECTED || state == RT_ICE_COMPLETED;
}

bool both_connected(const world *w)
{
    return connected(&w->ends[0]) && connected(&w->ends[1]);
}

bool both_completed(const world *w)
{
    return rt_ice_get_state(w->ends[0].ice) == RT_ICE_COMPLETED && rt_ice_get_state(w->ends[1].ice) == RT_ICE_COMPLETED;
}

bool both_failed(const world *w)
{
    return rt_ice_get_state(w->ends[0].ice) == RT_ICE_FAILED && rt_ice_get_state(w->ends[1].ice) == RT_ICE_FAILED;
}

bool world_reached(const world *w, uint32_t end, rt_ice_state state)
{
    for (uint32_t i = 0; i < w->ends[end].state_count; i++) {
        if (w->ends[end].states[i] == state)
            return true;
    }
    return false;
}

bool world_paths_meet(world *w)
{
    uint64_t before[2] = {w->ends[0].data_received, w->ends[1].data_received};
    for (int i = 0; i < 20; i++) {
        send_data(w);
        world_until(w, RT_MS(300), NULL);
    }
    return w->ends[0].data_received > before[0] && w->ends[1].data_received > before[1];
}
