/* What a hostile peer can make us do: many small chunks, each of which may cost no more than another however many
 * came before. Each test is far below a second of processor time if that holds, and far above if it does not. */
#include "check.h"

#include <time.h>

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

int main(int argc, char **argv)
{
    RUN(messages_the_wrong_way_round);
    RUN(fragments_of_nothing);
    RUN(growing_behind_parked_fragments);
    CHECK_MAIN_END;
}
