/* Transport-wide feedback: what is noted comes out as the sender will read it. */
#include "proto/twcc.h"

#include "base/random.h"
#include "check.h"
#include "wire/rtcp.h"

typedef struct told {
    rt_time at[65536]; /* 0: not told of */
    uint32_t reports, packets;
    uint8_t last;
} told;

/* Reads all that is due, and checks what all reports have in common. */
static void collect(rt_twcc *t, told *out, size_t room, rt_time now)
{
    uint8_t memory[1500];
    for (;;) {
        rt_writer w = rt_writer_of(rt_buffer_of(memory, room));
        if (!rt_twcc_feedback(t, &w, 7, now))
            return;
        CHECK(rt_writer_ok(&w));
        rt_reader reader = rt_reader_of(rt_span_of(memory, rt_writer_size(&w)));
        rt_rtcp packet;
        rt_status status = RT_OK;
        rt_rtcp_feedback feedback;
        rt_rtcp_twcc twcc;
        rt_twcc_packet packets[2048];
        CHECK(rt_rtcp_next(&reader, &packet, &status));
        CHECK_EQ(packet.type, RT_RTCP_RTPFB);
        CHECK_EQ(packet.count, RT_RTPFB_TWCC);
        CHECK_EQ(rt_rtcp_feedback_read(&packet, &feedback), RT_OK);
        CHECK_EQ(feedback.sender, 7);
        CHECK_EQ(feedback.media, 9);
        CHECK_EQ(rt_rtcp_twcc_read(&feedback, &twcc), RT_OK);
        CHECK(twcc.count <= 2048);
        CHECK_EQ(rt_rtcp_twcc_packets(&twcc, packets), RT_OK);
        CHECK(packets[0].received);
        if (out->reports++)
            CHECK_EQ(twcc.feedback, (uint8_t)(out->last + 1));
        out->last = twcc.feedback;
        int64_t at = (int64_t)twcc.reference * 256;
        for (uint16_t i = 0; i < twcc.count; i++) {
            if (!packets[i].received)
                continue;
            at += packets[i].delta;
            out->at[packets[i].sequence] = at * RT_US(250);
            out->packets++;
        }
    }
}

static void test_times_and_losses(void)
{
    static told out;
    memset(&out, 0, sizeof out);
    rt_twcc *t = rt_twcc_new();
    CHECK_EQ(rt_twcc_deadline(t), RT_NEVER);
    rt_time now = RT_SECONDS(100);
    for (int i = 0; i < 10; i++)
        if (i != 4)
            rt_twcc_arrived(t, (uint16_t)(65530 + i), 9, 1000, now + RT_MS(i));
    CHECK_EQ(rt_twcc_deadline(t), now + RT_MS(100));
    collect(t, &out, 1500, now + RT_MS(99));
    CHECK_EQ(out.reports, 0);
    collect(t, &out, 1500, now + RT_MS(100));
    CHECK_EQ(out.reports, 1);
    CHECK_EQ(out.packets, 9);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(out.at[(uint16_t)(65530 + i)], i == 4 ? 0 : now + RT_MS(i));
    CHECK_EQ(rt_twcc_deadline(t), RT_NEVER);

    rt_twcc_arrived(t, 65534, 9, 1000, now + RT_MS(120)); /* late: told of after all */
    collect(t, &out, 1500, now + RT_SECONDS(1));
    CHECK_EQ(out.at[65534], now + RT_MS(120));
    rt_twcc_free(t);
}

static void test_interval_follows_the_rate(void)
{
    static told out;
    memset(&out, 0, sizeof out);
    rt_twcc *t = rt_twcc_new();
    rt_time now = RT_SECONDS(1);
    uint16_t sequence = 0;
    for (; now < RT_SECONDS(11); now += RT_MS(1)) { /* 8 Mbit/s: as often as may be */
        rt_twcc_arrived(t, sequence++, 9, 1000, now);
        collect(t, &out, 1500, now);
    }
    CHECK(out.reports > 190 && out.reports <= 200);
    CHECK(out.packets > 9900);
    out.reports = 0;
    for (; now < RT_SECONDS(31); now += RT_MS(100)) { /* 8 kbit/s */
        rt_twcc_arrived(t, sequence++, 9, 100, now);
        collect(t, &out, 1500, now);
    }
    CHECK(out.reports >= 60 && out.reports <= 70);
    rt_twcc_free(t);
}

/* Loss, reordering, duplicates, bursts, jumps of time: everything that came is told once, at its time. */
static void test_random_arrivals(void)
{
    static told out;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static rt_time came[65536];
        memset(&out, 0, sizeof out);
        memset(came, 0, sizeof came);
        rt_random random;
        rt_random_init_number(&random, seed);
        rt_twcc *t = rt_twcc_new();
        rt_time now = RT_SECONDS(5);
        uint32_t count = 0;
        for (uint32_t i = 0; i < 60000; i++) {
            if (rt_random_below(&random, 1000) == 0)
                now += RT_SECONDS(20); /* more than a delta can say */
            now += RT_US(rt_random_below(&random, 2000));
            uint16_t sequence = (uint16_t)(i + rt_random_below(&random, 50));
            uint32_t what = rt_random_below(&random, 10);
            if (what == 0)
                continue;
            if (!came[sequence]) {
                came[sequence] = now;
                count++;
            }
            rt_twcc_arrived(t, sequence, 9, 1000, now);
            collect(t, &out, what == 1 ? 100 : 1500, now);
        }
        collect(t, &out, 1500, now + RT_SECONDS(1));
        CHECK(count > 30000);
        for (uint32_t i = 0; i < 65536; i++) {
            /* 24 bits of 64 ms: times are known modulo 12 days, and here not above them */
            rt_time difference = came[i] - out.at[i];
            if (difference < 0 || difference >= RT_US(250)) {
                fprintf(stderr, "seed %d, sequence %d\n", (int)seed, (int)i);
                CHECK_EQ(out.at[i], came[i]);
            }
        }
        rt_twcc_free(t);
    }
}

/* A sender that leaps through its numbers: bounded, and the newest are told of. */
static void test_leaps(void)
{
    static told out;
    memset(&out, 0, sizeof out);
    rt_twcc *t = rt_twcc_new();
    rt_time now = RT_SECONDS(5);
    for (uint32_t i = 0; i < 1000; i++) {
        now += RT_MS(1);
        rt_twcc_arrived(t, (uint16_t)(i * 30011), 9, 1000, now);
        collect(t, &out, 1500, now);
    }
    rt_twcc_arrived(t, 1, 9, 1000, now);
    rt_twcc_arrived(t, 2, 9, 1000, now);
    collect(t, &out, 1500, now + RT_SECONDS(1));
    CHECK(out.reports > 0);
    rt_twcc_free(t);
}

int main(int argc, char **argv)
{
    RUN(test_times_and_losses);
    RUN(test_interval_follows_the_rate);
    RUN(test_random_arrivals);
    RUN(test_leaps);
    CHECK_MAIN_END;
}
