/* One association, 10 GB: transmission sequence numbers and stream sequence numbers wrap, nothing is lost.
 *
 * Both directions begin a little below the wrap of the TSN; without interleaving the SSN wraps every 65,536
 * messages. A fast path with a little loss, so that retransmission happens across the wraps too. */
#include "sctp_net.h"
#include "check.h"

static void run_long(uint64_t bytes, bool interleaving)
{
    rt_sctp_config config;
    rt_sctp_config_default(&config);
    config.interleaving = interleaving;
    sctp_net *p = sctp_net_new(31, &config, &config);
    net_path path = {.delay = RT_US(500), .bandwidth = 5e9, .queue = 4 << 20, .loss = 0.00002};
    rt_sctp_send_info info = {.protocol = 53, .stream = 3, .max_retransmits = -1, .lifetime = RT_NEVER};
    uint64_t sent = 0, received = 0, sent_bytes = 0;
    net_set_both(p->net, 0, 1, &path);
    p->tick = RT_US(100);
    sctp_net_near_wrap(p, 0, 2000);
    sctp_net_near_wrap(p, 1, 2000);
    sctp_net_establish(p);
    rt_time begin = p->now;
    while (sent_bytes < bytes || received < sent) {
        rt_sctp_event event;
        while (sent_bytes < bytes) {
            sctp_sim_header header = {.stream = 3, .number = sent};
            size_t size = 16384 + sent % 4096;
            rt_status status = rt_sctp_send(p->end[0], &info, sctp_sim_make(&header, size), p->now);
            if (status == RT_AGAIN)
                break;
            CHECK_EQ(status, RT_OK);
            sent++;
            sent_bytes += size;
        }
        CHECK(sctp_net_step(p, p->now + RT_SECONDS(60)));
        while (rt_sctp_event_next(p->end[1], &event)) {
            sctp_sim_header header;
            CHECK_EQ(event.type, RT_SCTP_EVENT_MESSAGE);
            CHECK(sctp_sim_check(rt_span_of(event.message->data, event.message->size), &header));
            CHECK_EQ(header.number, received);
            received++;
            rt_sctp_release(p->end[1], event.message->size, p->now);
            rt_message_free(event.message);
        }
        while (rt_sctp_event_next(p->end[0], &event))
            CHECK(event.type == RT_SCTP_EVENT_SEND_ROOM || event.type == RT_SCTP_EVENT_BUFFERED_LOW);
    }
    rt_sctp_stats stats = sctp_net_stats(p, 0);
    CHECK_EQ(rt_sctp_get_state(p->end[0]), RT_SCTP_ESTABLISHED);
    CHECK_EQ(rt_sctp_get_state(p->end[1]), RT_SCTP_ESTABLISHED);
    CHECK_EQ(sctp_net_stats(p, 1).payload_received, sent_bytes);
    printf("%s: %.1f GB in %llu messages, %llu packets, %llu resent, %.1f s of virtual time\n",
           interleaving ? "I-DATA" : "DATA", (double)sent_bytes / 1e9, (unsigned long long)sent,
           (unsigned long long)stats.packets_sent, (unsigned long long)stats.chunks_retransmitted,
           (double)(p->now - begin) / 1e9);
    sctp_net_free(p);
}

static uint64_t size_of_run(void)
{
    return getenv("RTCORE_SANITIZED") ? 100000000u : 10000000000u;
}

static void test_10_gigabytes_through_the_wrap(void)
{
    run_long(size_of_run(), false);
}

static void test_interleaved_through_the_wrap(void)
{
    run_long(size_of_run() / 10, true);
}

/* Small messages on many streams, so that SSNs of 65,536 messages wrap on one of them amid others. */
static void test_stream_numbers_wrap(void)
{
    rt_sctp_config config;
    rt_sctp_config_default(&config);
    config.interleaving = false;
    sctp_net *p = sctp_net_new(32, &config, &config);
    uint64_t sent[4] = {0}, received[4] = {0};
    uint64_t total = getenv("RTCORE_SANITIZED") ? 90000 : 400000, accepted = 0, taken = 0;
    net_set_both(p->net, 0, 1, &(net_path){.delay = RT_MS(1), .loss = 0.001, .reorder = 0.01, .bandwidth = 1e9});
    p->tick = RT_US(100);
    sctp_net_establish(p);
    while (taken < total) {
        rt_sctp_event event;
        while (accepted < total) {
            uint16_t stream = accepted % 16 < 13 ? 0 : (uint16_t)(accepted % 16 - 12);
            rt_sctp_send_info info = {.stream = stream, .max_retransmits = -1, .lifetime = RT_NEVER};
            sctp_sim_header header = {.stream = stream, .number = sent[stream]};
            if (rt_sctp_send(p->end[0], &info, sctp_sim_make(&header, 16 + accepted % 50), p->now) != RT_OK)
                break;
            sent[stream]++;
            accepted++;
        }
        CHECK(sctp_net_step(p, p->now + RT_SECONDS(60)));
        while (rt_sctp_event_next(p->end[1], &event)) {
            sctp_sim_header header;
            CHECK_EQ(event.type, RT_SCTP_EVENT_MESSAGE);
            CHECK(sctp_sim_check(rt_span_of(event.message->data, event.message->size), &header));
            CHECK_EQ(header.number, received[event.message->stream]);
            received[event.message->stream]++;
            taken++;
            rt_sctp_release(p->end[1], event.message->size, p->now);
            rt_message_free(event.message);
        }
        while (rt_sctp_event_next(p->end[0], &event))
            CHECK(event.type == RT_SCTP_EVENT_SEND_ROOM || event.type == RT_SCTP_EVENT_BUFFERED_LOW);
    }
    CHECK(received[0] > 65536);
    sctp_net_free(p);
}

int main(int argc, char **argv)
{
    RUN(test_10_gigabytes_through_the_wrap);
    RUN(test_interleaved_through_the_wrap);
    RUN(test_stream_numbers_wrap);
    CHECK_MAIN_END;
}
