/* proto/sctp_congestion: growth, reduction by evidence, what is kept over silence, the token bucket. */
#include "check.h"
#include "proto/sctp_congestion.h"

enum { MTU = 1163 };

static rt_sctp_congestion c;
static rt_time now;
static uint32_t tsn;

static void begin(void)
{
    now = RT_SECONDS(1);
    tsn = 1;
    rt_sctp_congestion_init(&c, MTU, 4 << 20, 16 << 20, tsn);
    c.limited = true;
}

/* One round trip in which everything arrives. */
static void one_round(rt_time rtt)
{
    uint32_t packets = c.window / MTU;
    for (uint32_t i = 0; i < packets; i++) {
        now += rtt / packets;
        c.limited = true;
        rt_sctp_congestion_acked(&c, MTU, rtt, tsn, tsn + packets, false, rtt, now);
        tsn++;
    }
}

static void slow_start_doubles(void)
{
    begin();
    CHECK_EQ(c.window, 10 * MTU);
    for (int i = 1; i <= 5; i++) {
        one_round(RT_MS(20));
        CHECK(c.window / MTU >= (10u << i) - 10u && c.window / MTU <= 10u << i);
    }
}

static void application_limited_windows_do_not_grow(void)
{
    begin();
    for (int i = 0; i < 1000; i++) {
        c.limited = false;
        rt_sctp_congestion_acked(&c, MTU, RT_MS(20), tsn, tsn + 1, false, RT_MS(20), now += RT_MS(20));
        tsn++;
    }
    CHECK_EQ(c.window, 10 * MTU);
}

static void a_standing_queue_ends_slow_start(void)
{
    begin();
    for (int i = 0; i < 4; i++)
        one_round(RT_MS(20));
    uint32_t before = c.window;
    CHECK(c.window < c.threshold);
    /* From here on the path delivers no more than now: all that is more stands in its queue. */
    for (int i = 0; i < 4; i++)
        one_round(RT_MS(20) * (c.window / MTU) / (before / MTU) + RT_MS(4));
    CHECK(c.window >= c.threshold || c.window < before * 3);
    CHECK(c.threshold < 4 << 20);
}

static void a_loss_with_a_queue_reduces(void)
{
    begin();
    for (int i = 0; i < 5; i++)
        one_round(RT_MS(20));
    one_round(RT_MS(40));
    one_round(RT_MS(40));
    uint32_t before = c.window;
    rt_sctp_congestion_lost(&c, MTU);
    CHECK(rt_sctp_congestion_reduce(&c));
    CHECK(c.window <= before * 9 / 10);
    CHECK(c.window >= before * 35 / 100 - 1);
    CHECK_EQ(c.threshold, c.window);
    rt_sctp_congestion_undo(&c); /* it was none */
    CHECK_EQ(c.window, before);
}

static void a_loss_without_a_queue_does_not(void)
{
    begin();
    for (int i = 0; i < 5; i++)
        one_round(RT_MS(20));
    uint32_t before = c.window;
    rt_sctp_congestion_lost(&c, MTU);
    CHECK(!rt_sctp_congestion_reduce(&c));
    CHECK_EQ(c.window, before);
    rt_sctp_congestion_lost(&c, 100 * MTU); /* too many to be chance */
    CHECK(rt_sctp_congestion_reduce(&c));
    CHECK(c.window < before);
}

/* RFC 9438: from the reduced window back to the old one, then beyond it. */
static void cubic_returns_to_where_it_was(void)
{
    begin();
    for (int i = 0; i < 5; i++)
        one_round(RT_MS(100));
    c.threshold = c.window;
    uint32_t top = c.window;
    one_round(RT_MS(150));
    one_round(RT_MS(150));
    rt_sctp_congestion_lost(&c, MTU);
    CHECK(rt_sctp_congestion_reduce(&c));
    CHECK(c.window < top);
    rt_time start = now;
    while (c.window < top)
        one_round(RT_MS(100));
    CHECK(now - start < RT_SECONDS(10));
    for (int i = 0; i < 150; i++)
        one_round(RT_MS(100));
    CHECK(c.window > 2 * top);
}

static void timeout_begins_again_once(void)
{
    begin();
    for (int i = 0; i < 5; i++)
        one_round(RT_MS(20));
    uint32_t before = c.window;
    rt_sctp_congestion_timeout(&c);
    CHECK_EQ(c.window, MTU);
    CHECK_EQ(c.threshold, before / 2);
    rt_sctp_congestion_timeout(&c); /* the same silence */
    CHECK_EQ(c.threshold, before / 2);
}

/* A long silence keeps the window, and the tokens spread what leaves after it: not the window at once. */
static void tokens_spread_a_burst(void)
{
    begin();
    for (int i = 0; i < 7; i++)
        one_round(RT_MS(100));
    uint32_t window = c.window;
    now += RT_SECONDS(100);
    int64_t tokens = rt_sctp_congestion_tokens(&c, RT_MS(100), now);
    CHECK_EQ(c.window, window);
    CHECK(tokens < window / 4);
    CHECK(tokens >= 64 * MTU);
    c.tokens = 0;
    rt_time ready = rt_sctp_congestion_ready(&c, RT_MS(100), now);
    CHECK(ready > now && ready < now + RT_MS(10));
    CHECK(rt_sctp_congestion_tokens(&c, RT_MS(100), ready) >= 16 * MTU);
    /* On a short path the bucket is deeper than the window. */
    CHECK(rt_sctp_congestion_tokens(&c, RT_MS(1), now + RT_SECONDS(5)) > (int64_t)window);
}

int main(int argc, char **argv)
{
    RUN(slow_start_doubles);
    RUN(application_limited_windows_do_not_grow);
    RUN(a_standing_queue_ends_slow_start);
    RUN(a_loss_with_a_queue_reduces);
    RUN(a_loss_without_a_queue_does_not);
    RUN(cubic_returns_to_where_it_was);
    RUN(timeout_begins_again_once);
    RUN(tokens_spread_a_burst);
    CHECK_MAIN_END;
}
