/* What SCTP costs, both ends together, without sockets and DTLS: bulk and small messages through memory.
 *
 * Not a benchmark with a verdict (machines differ): it checks that everything arrives and prints the cost, and
 * is what to run under callgrind. An argument of "bulk" or "small" picks one, a second one sets how many MB.
 */
#include <time.h>

#include "sctp_pair.h"

enum { BATCH = 64 };

static uint8_t memory[BATCH * 2048];
static rt_packet slots[BATCH];
static uint64_t arrived, arrived_bytes, packets;

static double cpu(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void take(rt_sctp *sctp, rt_time now)
{
    rt_sctp_event event;
    while (rt_sctp_event_next(sctp, &event)) {
        if (event.type != RT_SCTP_EVENT_MESSAGE)
            continue;
        size_t size = event.message->size;
        arrived++;
        arrived_bytes += size;
        rt_message_free(event.message);
        rt_sctp_release(sctp, size, now);
    }
}

/* One burst from one end to the other, as a worker does it: batch out, batch in, events once. */
static bool move(rt_sctp *from, rt_sctp *to, rt_time now)
{
    rt_batch batch;
    bool moved = false;
    for (;;) {
        rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), slots, BATCH);
        if (!rt_sctp_transmit(from, &batch, now))
            break;
        for (uint32_t i = 0; i < batch.count; i++)
            rt_sctp_receive(to, rt_span_of(batch.packets[i].data, batch.packets[i].size), now);
        packets += batch.count;
        take(to, now);
        moved = true;
        if (batch.count < BATCH)
            break;
    }
    return moved;
}

static void transfer(const char *name, size_t size, uint64_t total)
{
    rt_random random[2];
    rt_sctp *ends[2];
    for (int i = 0; i < 2; i++) {
        rt_sctp_config config;
        rt_sctp_config_default(&config);
        rt_random_init_number(&random[i], (uint64_t)i);
        config.random = &random[i];
        ends[i] = rt_sctp_new(&config);
    }
    rt_time now = RT_SECONDS(1);
    CHECK_EQ(rt_sctp_connect(ends[0], now), RT_OK);
    while (rt_sctp_get_state(ends[0]) != RT_SCTP_ESTABLISHED || rt_sctp_get_state(ends[1]) != RT_SCTP_ESTABLISHED) {
        move(ends[0], ends[1], now);
        move(ends[1], ends[0], now);
    }
    uint8_t *data = calloc(1, size);
    rt_sctp_send_info info = {.protocol = 53, .stream = 1, .max_retransmits = -1, .lifetime = RT_NEVER};
    uint64_t sent = 0, count = 0;
    arrived = arrived_bytes = packets = 0;
    double start = cpu();
    while (arrived_bytes < total) {
        while (sent < total && rt_sctp_send(ends[0], &info, rt_span_of(data, size), now) == RT_OK) {
            sent += size;
            count++;
        }
        bool moved = move(ends[0], ends[1], now);
        now += RT_US(50);
        moved |= move(ends[1], ends[0], now);
        now += RT_US(50);
        for (int i = 0; i < 2; i++) {
            rt_sctp_expire(ends[i], now);
            take(ends[i], now);
        }
        CHECK(moved || rt_sctp_deadline(ends[0]) != RT_NEVER);
    }
    double seconds = cpu() - start;
    rt_sctp_stats stats;
    rt_sctp_get_stats(ends[0], &stats);
    CHECK_EQ(arrived, count);
    CHECK_EQ(stats.chunks_retransmitted, 0);
    printf("%s of %zu bytes: %.2f Gbit/s, %.0f ns per packet, %.2f CPU-s per GB, %.0f messages/s, both ends\n", name,
           size, (double)arrived_bytes * 8e-9 / seconds, seconds * 1e9 / (double)packets,
           seconds * 1e9 / (double)arrived_bytes, (double)arrived / seconds);
    for (int i = 0; i < 2; i++)
        rt_sctp_free(ends[i]);
    free(data);
}

static uint64_t megabytes = 64;

static void bulk(void)
{
    transfer("messages", 16384, megabytes * 1000000);
    transfer("messages", 65536, megabytes * 1000000);
    transfer("messages", 262144, megabytes * 1000000);
}

static void small(void)
{
    transfer("messages", 100, megabytes * 1000000 / 4);
}

int main(int argc, char **argv)
{
    if (argc > 2)
        megabytes = (uint64_t)atoi(argv[2]);
    RUN(bulk);
    RUN(small);
    CHECK_MAIN_END;
}
