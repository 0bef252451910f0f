/* Random schedules: two associations on a bad network do everything that can be done, in random order.
 *
 *     test_sctp_schedules              10,000 seeds (fewer under sanitizers)
 *     test_sctp_schedules SEED [COUNT] from this seed on; a single one tells what happens, and with TRACE=1 in
 *                                      the environment prints every packet
 *
 * Each schedule draws configurations, faults (loss up to 20%, bursts, reordering, copies, damage, outages)
 * and operations (messages of all kinds, slow readers, stream resets, restarts, shutdown, abort). Then the
 * network heals, and the end must be one of: all that was reliable has arrived and everything works; or both
 * ends are closed and have said so. Anything else is a failure of the seed, which is printed. */
#include "sctp_model.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct schedule {
    rt_random random;
    sctp_net *pair;
    model model;
    bool damage; /* packets may arrive changed: needs checksums */
    bool allow_restart, allow_end;
    uint32_t largest;
} schedule;

static uint32_t below(schedule *s, uint32_t bound)
{
    return rt_random_below(&s->random, bound);
}

static bool chance(schedule *s, uint32_t percent)
{
    return below(s, 100) < percent;
}

static void draw_config(schedule *s, rt_sctp_config *config)
{
    static const uint32_t buffers[] = {32 << 10, 128 << 10, 1 << 20, 4 << 20};
    rt_sctp_config_default(config);
    config->mtu = (uint16_t)(512 + below(s, 700));
    config->max_mtu = config->mtu;
    config->streams = (uint16_t)(chance(s, 50) ? 65535 : MODEL_STREAMS + below(s, 100));
    config->receive_buffer = buffers[below(s, 4)];
    config->send_buffer = buffers[below(s, 4)];
    config->zero_checksum = !s->damage && chance(s, 70);
    config->interleaving = chance(s, 50);
    config->sack_delay = RT_MS(below(s, 200));
    config->heartbeat = chance(s, 80) ? RT_SECONDS(1 + below(s, 30)) : RT_SECONDS(30);
}

static void draw_path(schedule *s, net_path *path)
{
    *path = (net_path){.delay = RT_US(below(s, 150000))};
    if (chance(s, 60))
        path->loss = below(s, 200) / 1000.0;
    if (chance(s, 20)) {
        path->burst_enter = 0.01;
        path->burst_leave = 0.2;
        path->burst_loss = 1;
    }
    if (chance(s, 40))
        path->jitter = RT_US(below(s, 50000));
    if (chance(s, 40)) {
        path->reorder = below(s, 200) / 1000.0;
        path->reorder_delay = RT_US(1 + below(s, 300000));
    }
    if (chance(s, 40))
        path->duplicate = below(s, 200) / 1000.0;
    if (chance(s, 60)) {
        path->bandwidth = 1e6 * (1 + below(s, 100));
        path->queue = 5000 + below(s, 200000);
    }
    if (s->damage) {
        path->corrupt = below(s, 100) / 1000.0;
        path->truncate = below(s, 100) / 1000.0;
    }
}

static void operate(schedule *s)
{
    model *m = &s->model;
    int end = (int)below(s, 2);
    uint16_t stream = (uint16_t)below(s, MODEL_STREAMS);
    uint32_t what = below(s, 1000);
    bool quiet = !m->ending && !m->restarting && m->connected[0] && m->connected[1];
    if (what < 700) {
        uint32_t size = chance(s, 70) ? 16 + below(s, 600) : 16 + below(s, s->largest);
        for (uint32_t n = 1 + below(s, chance(s, 20) ? 50 : 3); n > 0; n--)
            model_send(m, end, stream, size, (int32_t)below(s, 4), chance(s, 50) ? RT_MS(below(s, 1000)) : RT_NEVER);
    } else if (what < 850) {
        model_release(m, end);
    } else if (what < 940) {
        if (quiet || m->ending)
            model_reset(m, end, stream);
    } else if (what < 955) {
        net_path *path = net_path_of(s->pair->net, (uint32_t)end, (uint32_t)!end);
        path->down_from = s->pair->now;
        path->down_until = s->pair->now + RT_MS(below(s, 3000));
    } else if (what < 970) {
        draw_path(s, net_path_of(s->pair->net, (uint32_t)end, (uint32_t)!end));
    } else if (what < 978) {
        if (s->allow_restart && quiet)
            model_restart(m, end);
    } else if (what < 990) {
        if (s->allow_end && !m->restarting)
            model_shutdown(m, end);
    } else if (what < 993) {
        if (s->allow_end && !m->restarting)
            model_abort(m, end);
    }
}

static bool over(const schedule *s)
{
    return s->model.error[0] || model_both_closed(&s->model) || (!s->model.ending && model_complete(&s->model));
}

static void run_until(schedule *s, rt_time until, bool until_over)
{
    while (!s->model.error[0] && !(until_over && over(s))) {
        bool more = sctp_net_step(s->pair, until);
        model_take(&s->model);
        if (until_over) {
            model_release(&s->model, 0);
            model_release(&s->model, 1);
        }
        if (!more)
            break;
    }
}

/* After a graceful end, all that was accepted has arrived; after any other, there is an error on the side
 * that did not ask for it. */
static const char *verdict(const schedule *s)
{
    const model *m = &s->model;
    if (m->error[0])
        return m->error;
    if (!m->ending)
        return model_complete(m) ? NULL : "not everything arrived";
    if (!model_both_closed(m))
        return "one end is closed, the other does not know";
    if (!m->aborted && !s->allow_restart && !m->close_error[0] && !m->close_error[1] && m->accepted != m->delivered)
        return "a graceful end lost messages";
    if (m->aborted && !s->allow_restart && m->close_error[0] == 0 && m->close_error[1] == 0 &&
        m->accepted != m->delivered)
        return "an abort that looks graceful lost messages";
    return NULL;
}

static void describe(const schedule *s)
{
    for (int end = 0; end < 2; end++) {
        rt_sctp_stats t = sctp_net_stats(s->pair, end);
        printf("  end %d: state %d closed %d error %u in flight %u unsent %u peer window %u buffered %u cwnd %u rto "
               "%lld ms "
               "sent %llu resent %llu timeouts %llu\n",
               end, rt_sctp_get_state(s->pair->end[end]), s->model.closed[end], s->model.close_error[end],
               t.bytes_in_flight, t.unsent, t.peer_window, t.receive_buffered, t.congestion_window,
               (long long)(t.rto / RT_MS(1)), (unsigned long long)t.packets_sent,
               (unsigned long long)t.chunks_retransmitted, (unsigned long long)t.timeouts);
        for (uint16_t i = 0; i < MODEL_STREAMS; i++) {
            const model_out *out = &s->model.out[end][i];
            const model_in *in = &s->model.in[!end][i];
            printf("    stream %u: epoch %u sent %u%s; other end: epoch %u received %u next %u\n", i, out->epoch,
                   out->sent, out->resetting ? " resetting" : "", in->epoch, in->received, in->next);
        }
    }
    printf("  reliable messages: %llu accepted, %llu delivered; ending %d aborted %d restarting %d; now %.3f s\n",
           (unsigned long long)s->model.accepted, (unsigned long long)s->model.delivered, s->model.ending,
           s->model.aborted, s->model.restarting, (double)s->pair->now / 1e9);
}

static bool run_schedule(uint64_t seed, bool verbose)
{
    schedule s = {0};
    rt_sctp_config configs[2];
    rt_random_init_number(&s.random, seed);
    s.damage = chance(&s, 30);
    s.allow_restart = chance(&s, 25);
    s.allow_end = chance(&s, 50);
    draw_config(&s, &configs[0]);
    draw_config(&s, &configs[1]);
    /* A partly received message of each stream must fit into the window together with what waits. */
    uint32_t smallest =
        configs[0].receive_buffer < configs[1].receive_buffer ? configs[0].receive_buffer : configs[1].receive_buffer;
    s.largest = smallest / 8;
    s.pair = sctp_net_new(seed, &configs[0], &configs[1]);
    s.pair->tick = chance(&s, 50) ? 0 : RT_US(below(&s, 2000));
    draw_path(&s, net_path_of(s.pair->net, 0, 1));
    draw_path(&s, net_path_of(s.pair->net, 1, 0));
    model_init(&s.model, s.pair);
    s.model.verbose = verbose;
    s.pair->trace = verbose && getenv("TRACE");
    sctp_net_connect(s.pair);

    rt_time end = s.pair->now + RT_MS(500 + below(&s, 8000));
    uint32_t pace = 1 + below(&s, 100); /* mean milliseconds between operations */
    while (s.pair->now < end && !s.model.error[0] && !model_both_closed(&s.model)) {
        run_until(&s, s.pair->now + RT_US(1 + below(&s, pace * 2000)), false);
        operate(&s);
    }
    net_set_both(s.pair->net, 0, 1, &(net_path){.delay = RT_MS(10)});
    run_until(&s, s.pair->now + RT_SECONDS(3600), true);

    const char *problem = verdict(&s);
    if (problem)
        printf("seed %llu: %s\n", (unsigned long long)seed, problem);
    if (verbose)
        describe(&s);
    sctp_net_free(s.pair);
    return problem == NULL;
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? 1 : getenv("RTCORE_SANITIZED") ? 1000 : 10000;
    int failed = 0, passed = 0;
    for (uint64_t seed = first; seed < first + count && failed < 20; seed++) {
        if (run_schedule(seed, count == 1))
            passed++;
        else
            failed++;
    }
    if (failed) {
        fprintf(stderr, "%d of %d schedules failed: see their seeds above\n", failed, failed + passed);
        return 1;
    }
    printf("%d passed\n", passed);
    return 0;
}
