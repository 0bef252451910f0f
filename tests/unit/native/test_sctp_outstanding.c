/* proto/sctp_outstanding and proto/sctp_tracker: what is in flight, what has arrived, what is lost. */
#include "check.h"
#include "proto/sctp_outstanding.h"
#include "proto/sctp_tracker.h"

#include "base/random.h"

static rt_sctp_outstanding out;
static rt_sctp_queue queue;
static const uint32_t FIRST = 0xfffffff0; /* so that TSNs wrap in every test */

static void begin(int chunks, rt_time now)
{
    rt_sctp_outstanding_init(&out, FIRST);
    rt_sctp_queue_init(&queue);
    rt_sctp_send_info info = {.max_retransmits = -1, .lifetime = RT_NEVER};
    rt_sctp_out_stream *stream = rt_sctp_queue_stream(&queue, 3);
    for (int i = 0; i < chunks; i++) {
        CHECK_EQ(rt_sctp_queue_push(&queue, stream, &info, rt_span_text("0123456789"), now), RT_OK);
        rt_sctp_outgoing *message = rt_sctp_queue_next(&queue, now);
        CHECK(rt_sctp_outstanding_push(&out, message, 10, now + i) != NULL);
        rt_sctp_queue_take(&queue, message, 10);
    }
}

static void end(void)
{
    uint32_t messages;
    rt_sctp_outstanding_clear(&out, &messages);
    rt_sctp_outstanding_free(&out);
    rt_sctp_queue_free(&queue);
}

/* A SACK for `cumulative` chunks from the first on, and gap blocks as pairs counted from there. */
static bool sack(uint32_t cumulative, const uint16_t *gaps, size_t count, rt_time now, rt_sctp_acked *acked)
{
    uint8_t blocks[256];
    for (size_t i = 0; i < 2 * count; i++)
        rt_store16(blocks + 2 * i, gaps[i]);
    rt_sctp_sack s = {.cumulative_tsn = FIRST - 1 + cumulative, .gap_count = (uint16_t)count, .gaps = blocks};
    return rt_sctp_outstanding_sack(&out, &s, now, acked);
}

static void acknowledgements_count_once(void)
{
    rt_sctp_acked acked;
    begin(100, RT_MS(1));
    CHECK_EQ(out.bytes, 1000);
    CHECK(sack(10, NULL, 0, RT_MS(20), &acked));
    CHECK_EQ(acked.chunks, 10);
    CHECK_EQ(acked.bytes, 100);
    CHECK_EQ(acked.messages, 10);
    CHECK(acked.advanced);
    CHECK(acked.rtt > RT_MS(18) && acked.rtt < RT_MS(20));
    CHECK(sack(10, (uint16_t[]){3, 20, 30, 40}, 2, RT_MS(21), &acked));
    CHECK_EQ(acked.chunks, 29);
    CHECK_EQ(acked.messages, 0);
    CHECK(sack(10, (uint16_t[]){3, 20, 30, 45}, 2, RT_MS(22), &acked));
    CHECK_EQ(acked.chunks, 5);
    CHECK(sack(10, (uint16_t[]){3, 45}, 1, RT_MS(23), &acked)); /* the hole between them is filled */
    CHECK_EQ(acked.chunks, 9);
    CHECK(sack(9, NULL, 0, RT_MS(24), &acked) == false);   /* old */
    CHECK(sack(101, NULL, 0, RT_MS(24), &acked) == false); /* never sent */
    CHECK(sack(10, (uint16_t[]){80, 91}, 1, RT_MS(24), &acked));
    CHECK_EQ(acked.chunks, 0); /* beyond what was sent: not believed */
    CHECK(sack(55, NULL, 0, RT_MS(25), &acked));
    CHECK_EQ(acked.chunks, 2);
    CHECK_EQ(acked.messages, 45);
    CHECK_EQ(out.bytes, 450);
    CHECK(sack(100, NULL, 0, RT_MS(26), &acked));
    CHECK_EQ(out.bytes, 0);
    CHECK_EQ(out.flight.count, 0);
    end();
}

/* RFC 9260 section 6.2.1: a receiver may drop what it acknowledged by gaps. */
static void reneging_is_seen(void)
{
    rt_sctp_acked acked;
    begin(20, RT_MS(1));
    CHECK(sack(2, (uint16_t[]){2, 10}, 1, RT_MS(20), &acked));
    CHECK_EQ(out.bytes, 90);
    CHECK(sack(3, NULL, 0, RT_MS(21), &acked)); /* chunk 4 was said to be there */
    CHECK_EQ(acked.reneged, 90);
    CHECK_EQ(out.lost.count, 9);
    CHECK_EQ(out.bytes, 80);
    end();
}

/* RFC 8985: lost is what was sent before something that arrived, after a reordering window. */
static void losses_are_found_by_time(void)
{
    rt_sctp_acked acked;
    rt_time again;
    begin(10, RT_MS(1));
    CHECK(sack(1, NULL, 0, RT_MS(21), &acked));
    CHECK_EQ(rt_sctp_outstanding_detect(&out, RT_MS(20), false, RT_MS(21), &again), 0);
    CHECK_EQ(again, RT_NEVER);
    CHECK(sack(1, (uint16_t[]){3, 3}, 1, RT_MS(21), &acked)); /* the third; the second may only be late */
    CHECK_EQ(rt_sctp_outstanding_detect(&out, RT_MS(20), false, RT_MS(21), &again), 0);
    CHECK(again > RT_MS(25) && again < RT_MS(27));
    CHECK_EQ(rt_sctp_outstanding_detect(&out, RT_MS(20), false, again + 9, &again), 20); /* numbers 2 and 3 */
    CHECK_EQ(out.lost.count, 2);
    CHECK_EQ(out.lost.first, FIRST + 1);
    CHECK_EQ(out.bytes, 60);
    end();

    begin(10, RT_MS(1)); /* three behind it have arrived, and nothing was ever reordered: no waiting */
    CHECK(sack(1, (uint16_t[]){2, 4}, 1, RT_MS(21), &acked) && acked.chunks == 4);
    CHECK(sack(1, (uint16_t[]){2, 4}, 1, RT_MS(21), &acked) && acked.chunks == 0);
    end();
    begin(10, RT_MS(1));
    CHECK(sack(0, (uint16_t[]){2, 4}, 1, RT_MS(21), &acked));
    CHECK_EQ(rt_sctp_outstanding_detect(&out, RT_MS(20), false, RT_MS(21), &again), 10);
    end();
}

static void retransmissions_can_be_lost_too(void)
{
    rt_sctp_acked acked;
    rt_time again;
    begin(10, RT_MS(1));
    CHECK(sack(0, (uint16_t[]){2, 5}, 1, RT_MS(21), &acked));
    CHECK_EQ(rt_sctp_outstanding_detect(&out, RT_MS(20), true, RT_MS(21), &again), 10);
    rt_sctp_outstanding_resend(&out, FIRST, RT_MS(22));
    CHECK_EQ(out.lost.count, 0);
    CHECK_EQ(out.flight.last, FIRST); /* in the order of transmission */
    CHECK(sack(0, (uint16_t[]){2, 10}, 1, RT_MS(23), &acked));
    CHECK_EQ(rt_sctp_outstanding_detect(&out, RT_MS(20), true, RT_MS(80), &again), 0); /* nothing later arrived */
    end();
}

static void timeout_loses_everything_in_order(void)
{
    rt_sctp_acked acked;
    begin(10, RT_MS(1));
    CHECK(sack(1, (uint16_t[]){3, 4}, 1, RT_MS(21), &acked));
    rt_sctp_outstanding_lose_all(&out);
    CHECK_EQ(out.bytes, 0);
    CHECK_EQ(out.lost.count, 7); /* not what the gap says */
    uint32_t tsn = out.lost.first;
    for (uint32_t i = 1; i < out.lost.count; i++) {
        uint32_t next = rt_sctp_sent_at(&out, tsn)->next;
        CHECK(rt_seq32_before(tsn, next));
        tsn = next;
    }
    end();
}

/* RFC 3758 section 3.5: the forward TSN ends where something is still wanted, or where the skips are full. */
static void abandoned_chunks_are_skipped(void)
{
    rt_sctp_skip skips[4];
    size_t count;
    uint32_t bytes;
    begin(6, RT_MS(1));
    CHECK_EQ(rt_sctp_outstanding_forward(&out, false, skips, 4, &count), FIRST - 1);
    for (uint32_t i = 0; i < 3; i++) {
        rt_sctp_outgoing *message = rt_sctp_sent_at(&out, FIRST + i)->message;
        message->mid = i;
        rt_sctp_outstanding_abandon(&out, message, &bytes);
        CHECK_EQ(bytes, 10);
    }
    rt_sctp_outstanding_abandon(&out, rt_sctp_sent_at(&out, FIRST + 4)->message, &bytes);
    CHECK_EQ(rt_sctp_outstanding_forward(&out, false, skips, 4, &count), FIRST + 2);
    CHECK_EQ(count, 1);
    CHECK_EQ(skips[0].stream, 3);
    CHECK_EQ(skips[0].mid, 2);
    CHECK_EQ(rt_sctp_outstanding_forward(&out, false, skips, 0, &count), FIRST - 1);
    rt_sctp_acked acked;
    CHECK(sack(3, NULL, 0, RT_MS(9), &acked));
    CHECK_EQ(acked.bytes, 0); /* they had left the send buffer before */
    CHECK_EQ(acked.messages, 3);
    CHECK_EQ(out.abandoned, 1);
    CHECK(sack(6, NULL, 0, RT_MS(9), &acked));
    CHECK_EQ(out.abandoned, 0);
    end();
}

/* ---- the other end ---- */

static void tracker_agrees_with_a_bitmap(void)
{
    rt_random random;
    for (uint64_t seed = 0; seed < 200; seed++) {
        rt_random_init_number(&random, seed);
        rt_sctp_tracker tracker;
        rt_sctp_tracker_init(&tracker, FIRST);
        static bool there[512];
        memset(there, 0, sizeof there);
        for (int step = 0; step < 400; step++) {
            uint32_t i = rt_random_below(&random, 100) + (uint32_t)step / 2;
            rt_sctp_arrival arrival = rt_sctp_tracker_look(&tracker, FIRST + i);
            CHECK_EQ(arrival == RT_SCTP_ARRIVAL_DUPLICATE, there[i]);
            if (arrival != RT_SCTP_ARRIVAL_DUPLICATE)
                rt_sctp_tracker_add(&tracker, FIRST + i);
            there[i] = true;
            if (step % 50 == 49) { /* skip a little */
                uint32_t to = tracker.cumulative - FIRST + 1 + rt_random_below(&random, 10);
                rt_sctp_tracker_forward(&tracker, FIRST + to);
                for (uint32_t k = 0; k <= to; k++)
                    there[k] = true;
            }
            uint32_t cumulative = 0;
            while (there[cumulative])
                cumulative++;
            CHECK_EQ(tracker.cumulative + 1, (uint32_t)(FIRST + cumulative));
        }
        rt_sctp_gap gaps[256];
        size_t count = rt_sctp_tracker_gaps(&tracker, rt_sctp_tracker_highest(&tracker), gaps, 256);
        uint32_t at = tracker.cumulative - FIRST + 1;
        for (size_t g = 0; g < count; g++) {
            uint32_t start = tracker.cumulative - FIRST + gaps[g].start,
                     stop = tracker.cumulative - FIRST + gaps[g].end;
            for (; at < start; at++)
                CHECK(!there[at]);
            for (; at <= stop; at++)
                CHECK(there[at]);
        }
        for (; at < 512; at++)
            CHECK(!there[at]);
        rt_sctp_tracker_free(&tracker);
    }
}

static void tracker_is_bounded(void)
{
    rt_sctp_tracker tracker;
    rt_sctp_tracker_init(&tracker, 1);
    CHECK_EQ(rt_sctp_tracker_look(&tracker, 65536), RT_SCTP_ARRIVAL_OUTSIDE);
    CHECK_EQ(rt_sctp_tracker_look(&tracker, 0x7fffffff), RT_SCTP_ARRIVAL_OUTSIDE);
    uint32_t holes = 0;
    for (uint32_t tsn = 2; tsn < 60000; tsn += 2) {
        if (rt_sctp_tracker_look(&tracker, tsn) == RT_SCTP_ARRIVAL_BEYOND) {
            rt_sctp_tracker_add(&tracker, tsn);
            holes++;
        }
    }
    CHECK_EQ(holes, RT_SCTP_TRACKER_RANGES);
    CHECK_EQ(rt_sctp_tracker_look(&tracker, 1), RT_SCTP_ARRIVAL_NEXT); /* what moves on is always welcome */
    rt_sctp_tracker_add(&tracker, 1);
    CHECK_EQ(tracker.cumulative, 2);
    CHECK_EQ(tracker.count, RT_SCTP_TRACKER_RANGES - 1);
    rt_sctp_tracker_free(&tracker);
}

int main(int argc, char **argv)
{
    RUN(acknowledgements_count_once);
    RUN(reneging_is_seen);
    RUN(losses_are_found_by_time);
    RUN(retransmissions_can_be_lost_too);
    RUN(timeout_loses_everything_in_order);
    RUN(abandoned_chunks_are_skipped);
    RUN(tracker_agrees_with_a_bitmap);
    RUN(tracker_is_bounded);
    CHECK_MAIN_END;
}
