/* What a hostile peer can make us do: many small chunks, each of which may cost no more than another however many
 * came before. Each test is far below a second of processor time if that holds, and far above if it does not. */
#include "check.h"

#include <time.h>

#include "proto/sctp_outstanding.h"
#include "proto/sctp_reassembly.h"

enum { B = RT_SCTP_FLAG_BEGIN, E = RT_SCTP_FLAG_END, U = RT_SCTP_FLAG_UNORDERED };

#define LIMIT 2.0 /* seconds; sanitized programs take several times what others do */

static double cpu(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static rt_status add(rt_sctp_reassembly *in, uint32_t tsn, uint32_t mid, uint32_t fsn, uint8_t flags)
{
    return rt_sctp_reassembly_add(in, &(rt_sctp_data){.tsn = tsn,
                                                      .stream = 1,
                                                      .flags = flags,
                                                      .interleaved = true,
                                                      .mid = mid,
                                                      .fsn = fsn,
                                                      .payload = rt_span_text("x")});
}

static size_t take_all(rt_sctp_reassembly *in)
{
    size_t count = 0;
    for (rt_message *message; (message = rt_sctp_reassembly_take(in)); count++)
        rt_message_free(message);
    return count;
}

/* Whole messages, the last one first: each belongs in front of all others. */
static void messages_the_wrong_way_round(void)
{
    enum { COUNT = 130000 };
    rt_sctp_reassembly in;
    rt_sctp_reassembly_init(&in, 1 << 20, 100000, 1);
    double start = cpu();
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK_EQ(add(&in, i, COUNT - 1 - i, 0, B | E), RT_OK);
    CHECK_EQ(take_all(&in), COUNT);
    CHECK_EQ(in.nodes, 0);
    CHECK(cpu() - start < LIMIT);
    rt_sctp_reassembly_free(&in);
}

/* Fragments whose message has not begun, between many that wait: each is looked for, and none is found. */
static void fragments_of_nothing(void)
{
    enum { WAITING = 100000, COUNT = 200000 };
    rt_sctp_reassembly in;
    rt_sctp_reassembly_init(&in, 1 << 20, 100000, 1);
    double start = cpu();
    for (uint32_t i = 0; i < WAITING; i++)
        CHECK_EQ(add(&in, i, 2 * i + 2, 0, B | E), RT_OK);
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK_EQ(add(&in, WAITING + i, 3, 2 * i + 2, 0), i < RT_SCTP_PARKED_MAX ? RT_OK : RT_AGAIN);
    CHECK(cpu() - start < LIMIT);
    rt_sctp_reassembly_free(&in);
}

/* A message that grows behind many parked fragments of others. */
static void growing_behind_parked_fragments(void)
{
    enum { COUNT = 90000 };
    rt_sctp_reassembly in;
    rt_sctp_reassembly_init(&in, 1 << 20, 100000, 1);
    for (uint32_t i = 0; i < RT_SCTP_PARKED_MAX; i++)
        CHECK_EQ(add(&in, i, i, 1, 0), RT_OK);
    double start = cpu();
    CHECK_EQ(add(&in, COUNT, COUNT, 0, B), RT_OK);
    for (uint32_t i = 1; i < COUNT; i++)
        CHECK_EQ(add(&in, COUNT + i, COUNT, i, 0), RT_OK);
    CHECK(cpu() - start < LIMIT);
    rt_sctp_reassembly_free(&in);
}

/* FORWARD-TSN chunks of eight bytes, while many streams are in use and one fragment waits. */
static void forwards_over_many_streams(void)
{
    enum { STREAMS = 60000, FORWARDS = 40000 };
    rt_sctp_reassembly in;
    rt_sctp_reassembly_init(&in, 1 << 20, 100000, 1);
    rt_sctp_data data = {.flags = B | E | U, .payload = rt_span_text("x")};
    for (uint32_t i = 0; i < STREAMS; i++, data.tsn++) {
        data.stream = (uint16_t)i;
        CHECK_EQ(rt_sctp_reassembly_add(&in, &data), RT_OK);
    }
    data.flags = U;
    data.tsn = STREAMS + FORWARDS / 2;
    CHECK_EQ(rt_sctp_reassembly_add(&in, &data), RT_OK);
    double start = cpu();
    for (uint32_t i = 0; i < FORWARDS; i++)
        CHECK_EQ(rt_sctp_reassembly_forward(&in, &(rt_sctp_forward){.cumulative_tsn = STREAMS + i}), RT_OK);
    CHECK(cpu() - start < LIMIT);
    CHECK_EQ(in.nodes, 0); /* and the fragment is gone */
    CHECK_EQ(take_all(&in), STREAMS);
    rt_sctp_reassembly_free(&in);
}

/* ---- acknowledgements ---- */

static rt_sctp_outstanding out;
static rt_sctp_queue queue;

static void send_small_messages(uint32_t count)
{
    rt_sctp_outstanding_init(&out, 1);
    rt_sctp_queue_init(&queue);
    rt_sctp_send_info info = {.max_retransmits = 0, .lifetime = RT_NEVER};
    rt_sctp_out_stream *stream = rt_sctp_queue_stream(&queue, 3);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(rt_sctp_queue_push(&queue, stream, &info, rt_span_text("x"), 1), RT_OK);
        rt_sctp_outgoing *message = rt_sctp_queue_next(&queue, 1);
        CHECK(rt_sctp_outstanding_push(&out, message, 1, 1) != NULL);
        rt_sctp_queue_take(&queue, message, 1);
    }
}

static void end_of_sending(void)
{
    uint32_t messages;
    rt_sctp_outstanding_clear(&out, &messages);
    rt_sctp_outstanding_free(&out);
    rt_sctp_queue_free(&queue);
}

/* Gap-ack blocks that all end at the same chunk, each beginning one before the last: all say the same again. */
static void gaps_within_gaps(void)
{
    enum { COUNT = RT_SCTP_OUTSTANDING_MAX, BLOCKS = 16000 };
    static uint8_t blocks[4 * BLOCKS];
    for (uint32_t i = 0; i < BLOCKS; i++) {
        rt_store16(blocks + 4 * i, (uint16_t)(BLOCKS + 1 - i));
        rt_store16(blocks + 4 * i + 2, (uint16_t)COUNT);
    }
    double start = cpu();
    for (int window = 0; window < 20; window++) {
        rt_sctp_acked acked;
        send_small_messages(COUNT);
        for (uint32_t tsn = 2; window % 2 && tsn < COUNT; tsn++) { /* or given up: the same */
            uint32_t bytes;
            rt_sctp_outstanding_abandon(&out, rt_sctp_sent_at(&out, tsn)->message, &bytes);
        }
        rt_sctp_sack sack = {.cumulative_tsn = 0, .gap_count = BLOCKS, .gaps = blocks};
        CHECK(rt_sctp_outstanding_sack(&out, &sack, 2, &acked));
        for (uint32_t i = 0; i < BLOCKS; i++)
            rt_store16(blocks + 4 * i, (uint16_t)(2 + i));
        CHECK(rt_sctp_outstanding_sack(&out, &sack, 2, &acked));
        CHECK_EQ(out.bytes, 1);
        end_of_sending();
    }
    CHECK(cpu() - start < LIMIT);
}

/* Thousands of messages that are all given up, the first one first. */
static void giving_up_many_messages(void)
{
    double start = cpu();
    for (int round = 0; round < 10; round++) {
        send_small_messages(RT_SCTP_OUTSTANDING_MAX);
        rt_sctp_outstanding_lose_all(&out);
        while (out.lost.count) {
            uint32_t bytes;
            rt_sctp_outstanding_abandon(&out, rt_sctp_sent_at(&out, out.lost.first)->message, &bytes);
            CHECK_EQ(bytes, 1);
        }
        CHECK_EQ(out.abandoned, RT_SCTP_OUTSTANDING_MAX);
        end_of_sending();
    }
    CHECK(cpu() - start < LIMIT);
}

int main(int argc, char **argv)
{
    RUN(messages_the_wrong_way_round);
    RUN(fragments_of_nothing);
    RUN(growing_behind_parked_fragments);
    RUN(forwards_over_many_streams);
    RUN(gaps_within_gaps);
    RUN(giving_up_many_messages);
    CHECK_MAIN_END;
}
