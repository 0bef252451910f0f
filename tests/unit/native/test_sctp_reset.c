/* Stream reset, RFC 6525, as data channels use it: order, collisions, lost steps, strange requests. */
#include <time.h>

#include "sctp_pair.h"

static sctp_pair pair;

static void begin(void)
{
    sctp_pair_init(&pair);
    sctp_pair_start(&pair);
    sctp_pair_connect(&pair, 2);
}

static void reset_waits_for_what_is_queued(void)
{
    begin();
    for (int i = 0; i < 10; i++)
        CHECK_EQ(sctp_pair_send(&pair, 0, 4, 50000), RT_OK);
    CHECK_EQ(rt_sctp_reset_stream(pair.end[0], 4, pair.now), RT_OK);
    CHECK_EQ(sctp_pair_send(&pair, 0, 4, 1), RT_UNEXPECTED);
    CHECK_EQ(sctp_pair_send(&pair, 0, 5, 1), RT_OK);
    while (!pair.events[1][RT_SCTP_EVENT_RESET_IN])
        CHECK(sctp_pair_step(&pair, RT_NEVER - 1));
    CHECK_EQ(pair.messages[1], 11);
    CHECK_EQ(pair.last[1].stream, 4);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_RESET_OUT], 1);
    CHECK_EQ(pair.last[0].stream, 4);
    for (int i = 0; i < 3; i++) /* both count from zero now */
        CHECK_EQ(sctp_pair_send(&pair, 0, 4, 10), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.messages[1], 14);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 1);
    sctp_pair_free(&pair);
}

/* Both ends reset the same and other streams at the same time. */
static void resets_collide(void)
{
    begin();
    for (uint16_t stream = 0; stream < 15; stream++) {
        CHECK_EQ(sctp_pair_send(&pair, 0, stream, 3000), RT_OK);
        CHECK_EQ(sctp_pair_send(&pair, 1, stream, 3000), RT_OK);
    }
    for (uint16_t stream = 0; stream < 10; stream++) {
        for (int side = 0; side < 2; side++) {
            CHECK_EQ(rt_sctp_reset_stream(pair.end[side], (uint16_t)(stream + side * 5), pair.now), RT_OK);
            CHECK_EQ(rt_sctp_reset_stream(pair.end[side], (uint16_t)(stream + side * 5), pair.now), RT_OK);
        }
    }
    sctp_pair_run(&pair, RT_SECONDS(5));
    for (int side = 0; side < 2; side++) {
        CHECK_EQ(pair.events[side][RT_SCTP_EVENT_RESET_OUT], 10);
        CHECK_EQ(pair.events[side][RT_SCTP_EVENT_RESET_IN], 10);
        CHECK_EQ(pair.events[side][RT_SCTP_EVENT_RESET_FAILED], 0);
    }
    for (uint16_t stream = 0; stream < 15; stream++) {
        CHECK_EQ(sctp_pair_send(&pair, 0, stream, 30), RT_OK);
        CHECK_EQ(sctp_pair_send(&pair, 1, stream, 30), RT_OK);
    }
    uint64_t before = pair.messages[0];
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.messages[0], before + 15);
    sctp_pair_free(&pair);
}

static void thousands_of_streams(void)
{
    begin();
    for (uint16_t stream = 0; stream < 3000; stream++)
        CHECK_EQ(rt_sctp_reset_stream(pair.end[0], (uint16_t)(stream * 21), pair.now), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(2));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_RESET_OUT], 3000);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 3000);
    sctp_pair_free(&pair);
}

static bool drop_reconfig(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    (void)from;
    return p->drops > 0 && sctp_find_chunk(packet, RT_SCTP_RE_CONFIG, &chunk) && p->drops--;
}

static void lost_requests_and_answers_are_repeated(void)
{
    for (int count = 1; count < 6; count++) {
        begin();
        CHECK_EQ(sctp_pair_send(&pair, 0, 1, 100), RT_OK);
        pair.filter = drop_reconfig;
        pair.drops = count;
        CHECK_EQ(rt_sctp_reset_stream(pair.end[0], 1, pair.now), RT_OK);
        sctp_pair_run(&pair, RT_SECONDS(30));
        CHECK_EQ(pair.drops, 0);
        CHECK_EQ(pair.events[0][RT_SCTP_EVENT_RESET_OUT], 1);
        CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 1);
        sctp_pair_free(&pair);
    }
}

static bool drop_answers(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    bool reconfig = sctp_find_chunk(packet, RT_SCTP_RE_CONFIG, &chunk);
    p->drops += reconfig && from == 0;
    return reconfig && from == 1;
}

/* A peer that lives but never answers is asked ever more seldom, and the association goes on. */
static void unanswered_reset_does_not_end_the_association(void)
{
    begin();
    pair.filter = drop_answers;
    CHECK_EQ(rt_sctp_reset_stream(pair.end[0], 1, pair.now), RT_OK);
    sctp_pair_run(&pair, RT_SECONDS(3600));
    CHECK(pair.drops > 10 && pair.drops < 80);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 1);
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CLOSED], 0);
    pair.filter = NULL;
    sctp_pair_run(&pair, RT_SECONDS(61));
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_RESET_OUT], 1);
    sctp_pair_free(&pair);
}

static void reset_before_the_connection(void)
{
    sctp_pair_init(&pair);
    sctp_pair_start(&pair);
    CHECK_EQ(sctp_pair_send(&pair, 0, 8, 100), RT_OK);
    CHECK_EQ(rt_sctp_reset_stream(pair.end[0], 8, pair.now), RT_OK);
    sctp_pair_connect(&pair, 0);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.messages[1], 1);
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_RESET_OUT], 1);
    sctp_pair_free(&pair);
}

/* ---- requests written by hand, as another stack or an attacker would ---- */

static uint32_t tag_of_1, next_request, cumulative_of_1;

static bool learn(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    rt_sctp_init init;
    (void)p;
    /* Side 1's tag and the first request number, which is the initial TSN of side 0. */
    if (from == 0)
        tag_of_1 = rt_load32(packet.data + 4) ? rt_load32(packet.data + 4) : tag_of_1;
    if (from == 0 && sctp_find_chunk(packet, RT_SCTP_INIT, &chunk) && rt_sctp_parse_init(&chunk, &init))
        next_request = init.tsn;
    return false;
}

static uint32_t last_result, last_response;
static int answers;

static bool read_answers(sctp_pair *p, int from, rt_span packet)
{
    rt_sctp_chunk chunk;
    rt_sctp_param param;
    (void)p;
    if (from == 1 && sctp_find_chunk(packet, RT_SCTP_RE_CONFIG, &chunk)) {
        rt_reader r = rt_reader_of(chunk.value);
        while (rt_sctp_next_param(&r, &param)) {
            if (param.type == RT_SCTP_PARAM_RESPONSE) {
                CHECK(rt_sctp_parse_response(&param, &last_response, &last_result));
                answers++;
            }
        }
    }
    return false;
}

static void begin_by_hand(void)
{
    sctp_pair_init(&pair);
    sctp_pair_start(&pair);
    pair.filter = learn;
    sctp_pair_connect(&pair, 0);
    cumulative_of_1 = next_request - 1;
    pair.filter = read_answers;
    answers = 0;
}

static void hand_over(uint16_t type, uint32_t number, uint32_t last_tsn, const uint16_t *streams, size_t count)
{
    static uint8_t packet[1 << 16];
    rt_writer w = rt_writer_of(rt_buffer_of(packet, sizeof packet));
    rt_sctp_write_header(&w, 5000, 5000, tag_of_1);
    uint8_t *chunk = rt_sctp_open_chunk(&w, RT_SCTP_RE_CONFIG, 0);
    uint8_t *param = rt_sctp_open_param(&w, type);
    rt_write32(&w, number);
    if (type == RT_SCTP_PARAM_RESET_OUT) {
        rt_write32(&w, 0);
        rt_write32(&w, last_tsn);
    }
    for (size_t i = 0; i < count; i++)
        rt_write16(&w, streams[i]);
    rt_sctp_close_param(&w, param);
    rt_sctp_close_chunk(&w, chunk);
    rt_sctp_receive(pair.end[1], rt_span_of(packet, rt_writer_size(&w)), pair.now);
}

static void request(uint16_t type, uint32_t number, uint32_t last_tsn, const uint16_t *streams, size_t count)
{
    hand_over(type, number, last_tsn, streams, count);
    sctp_pair_pump(&pair);
}

static const uint16_t ONE[] = {1};

static void numbers_of_requests(void)
{
    begin_by_hand();
    request(RT_SCTP_PARAM_RESET_OUT, next_request + 5, cumulative_of_1, ONE, 1);
    CHECK_EQ(last_result, RT_SCTP_RESULT_BAD_SEQUENCE);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 0);
    request(RT_SCTP_PARAM_RESET_OUT, next_request, cumulative_of_1, ONE, 1);
    CHECK_EQ(last_result, RT_SCTP_RESULT_PERFORMED);
    CHECK_EQ(last_response, next_request);
    request(RT_SCTP_PARAM_RESET_OUT, next_request, cumulative_of_1, ONE, 1); /* once more: answered, not done */
    CHECK_EQ(last_result, RT_SCTP_RESULT_PERFORMED);
    CHECK_EQ(answers, 3);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 1);
    sctp_pair_free(&pair);
}

/* Section 5.2.2, E2: a reset waits for all TSNs that were assigned before it. */
static void reset_waits_for_its_last_tsn(void)
{
    begin_by_hand();
    CHECK_EQ(sctp_pair_send(&pair, 0, 1, 100), RT_OK);
    request(RT_SCTP_PARAM_RESET_OUT, next_request, cumulative_of_1 + 1, ONE, 1);
    CHECK_EQ(last_result, RT_SCTP_RESULT_IN_PROGRESS);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 0);
    request(RT_SCTP_PARAM_RESET_OUT, next_request, cumulative_of_1 + 1, ONE, 1);
    CHECK_EQ(last_result, RT_SCTP_RESULT_IN_PROGRESS);
    sctp_pair_run(&pair, RT_SECONDS(1)); /* now the message arrives */
    CHECK_EQ(pair.messages[1], 1);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 1);
    CHECK_EQ(last_result, RT_SCTP_RESULT_PERFORMED);
    CHECK_EQ(last_response, next_request);
    sctp_pair_free(&pair);
}

static void other_requests(void)
{
    static const uint16_t more[] = {100, 0}, beyond[] = {65535};
    begin_by_hand();
    request(RT_SCTP_PARAM_ADD_OUT, next_request, 0, more, 2); /* we take 65535 already */
    CHECK_EQ(last_result, RT_SCTP_RESULT_DENIED);
    request(RT_SCTP_PARAM_ADD_IN, next_request + 1, 0, more, 2);
    CHECK_EQ(last_result, RT_SCTP_RESULT_DENIED);
    request(RT_SCTP_PARAM_RESET_TSN, next_request + 2, 0, NULL, 0);
    CHECK_EQ(last_result, RT_SCTP_RESULT_DENIED);
    request(RT_SCTP_PARAM_RESET_OUT, next_request + 3, cumulative_of_1, beyond, 1);
    CHECK_EQ(last_result, RT_SCTP_RESULT_WRONG_SSN);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], 0);
    /* Streams of ours: our own request follows, since that stream is in use. */
    CHECK_EQ(sctp_pair_send(&pair, 1, 1, 10), RT_OK);
    request(RT_SCTP_PARAM_RESET_IN, next_request + 4, 0, ONE, 1);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_OUT], 1);
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_RESET_IN], 1);
    sctp_pair_free(&pair);
}

/* A peer that began with few streams gets more when it asks. */
static void streams_are_added(void)
{
    static const uint16_t more[] = {100, 0};
    sctp_pair_init(&pair);
    pair.config[0].streams = 10;
    sctp_pair_start(&pair);
    pair.filter = learn;
    sctp_pair_connect(&pair, 0);
    pair.filter = read_answers;
    CHECK_EQ(rt_sctp_streams_in(pair.end[1]), 10);
    request(RT_SCTP_PARAM_ADD_OUT, next_request, 0, more, 2);
    CHECK_EQ(last_result, RT_SCTP_RESULT_PERFORMED);
    CHECK_EQ(rt_sctp_streams_in(pair.end[1]), 110);
    CHECK_EQ(rt_sctp_streams_out(pair.end[1]), 10);
    CHECK_EQ(sctp_pair_send(&pair, 1, 10, 10), RT_INVALID);
    CHECK_EQ(rt_sctp_reset_stream(pair.end[1], 10, pair.now), RT_INVALID);
    sctp_pair_free(&pair);
}

/* A request that names no streams means all of them: one walk, however many there are. */
static void all_streams_at_once(void)
{
    enum { STREAMS = 60000 };
    begin_by_hand();
    for (uint32_t i = 0; i < STREAMS; i++) {
        CHECK_EQ(sctp_pair_send(&pair, 0, (uint16_t)i, 1), RT_OK);
        if (i % 1000 == 999)
            sctp_pair_run(&pair, RT_MS(100));
    }
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.messages[1], STREAMS);
    clock_t start = clock();
    request(RT_SCTP_PARAM_RESET_OUT, next_request, cumulative_of_1, NULL, 0);
    CHECK(clock() - start < CLOCKS_PER_SEC);
    CHECK_EQ(last_result, RT_SCTP_RESULT_PERFORMED);
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_RESET_IN], STREAMS);
    sctp_pair_free(&pair);
}

/* More events than there may be, in one burst, while a message is about to be given up: the association ends, and
 * not before everything that was under way is done with its memory. */
static void too_many_events(void)
{
    enum { EACH = 30000, REQUESTS = 40 };
    static uint16_t streams[EACH];
    begin_by_hand();
    rt_sctp_send_info info = {.protocol = 53, .stream = 1, .max_retransmits = 0, .lifetime = RT_NEVER};
    CHECK_EQ(rt_sctp_send(pair.end[1], &info, rt_span_text("lost"), pair.now), RT_OK);
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(pair.memory, sizeof pair.memory), pair.slots, 64);
    CHECK_EQ(rt_sctp_transmit(pair.end[1], &batch, pair.now), 1);
    for (uint32_t i = 0; i < EACH; i++)
        streams[i] = (uint16_t)i;
    for (uint32_t i = 0; i < REQUESTS; i++)
        hand_over(RT_SCTP_PARAM_RESET_OUT, next_request + i, cumulative_of_1, streams, EACH);
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.events[1][RT_SCTP_EVENT_CLOSED], 1);
    CHECK_EQ(pair.last[1].type, RT_SCTP_EVENT_CLOSED);
    CHECK_EQ(pair.last[1].error, RT_SCTP_CAUSE_OUT_OF_RESOURCE);
    CHECK_EQ(pair.events[0][RT_SCTP_EVENT_CLOSED], 1); /* told by an ABORT */
    sctp_pair_free(&pair);
}

/* The same when exactly as many events wait as there may be. */
static void as_many_events_as_there_may_be(void)
{
    enum { EACH = 1 << 14, REQUESTS = 64 }; /* 2^20 */
    static uint16_t streams[EACH];
    begin_by_hand();
    rt_sctp_send_info info = {.protocol = 53, .stream = 1, .max_retransmits = 0, .lifetime = RT_NEVER};
    CHECK_EQ(rt_sctp_send(pair.end[1], &info, rt_span_text("lost"), pair.now), RT_OK);
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(pair.memory, sizeof pair.memory), pair.slots, 64);
    CHECK_EQ(rt_sctp_transmit(pair.end[1], &batch, pair.now), 1);
    for (uint32_t i = 0; i < EACH; i++)
        streams[i] = (uint16_t)i;
    for (uint32_t i = 0; i < REQUESTS; i++)
        hand_over(RT_SCTP_PARAM_RESET_OUT, next_request + i, cumulative_of_1, streams, EACH);
    CHECK_EQ(rt_sctp_get_state(pair.end[1]), RT_SCTP_ESTABLISHED);
    for (rt_time now = pair.now; rt_sctp_get_state(pair.end[1]) == RT_SCTP_ESTABLISHED; now += RT_MS(100)) {
        CHECK(now < pair.now + RT_SECONDS(10));
        rt_sctp_expire(pair.end[1], now);
        rt_batch_reset(&batch);
        rt_sctp_transmit(pair.end[1], &batch, now); /* gives the message up: one event too many */
    }
    sctp_pair_run(&pair, RT_SECONDS(1));
    CHECK_EQ(pair.last[1].type, RT_SCTP_EVENT_CLOSED);
    CHECK_EQ(pair.last[1].error, RT_SCTP_CAUSE_OUT_OF_RESOURCE);
    sctp_pair_free(&pair);
}

int main(int argc, char **argv)
{
    RUN(reset_waits_for_what_is_queued);
    RUN(resets_collide);
    RUN(thousands_of_streams);
    RUN(lost_requests_and_answers_are_repeated);
    RUN(unanswered_reset_does_not_end_the_association);
    RUN(reset_before_the_connection);
    RUN(numbers_of_requests);
    RUN(reset_waits_for_its_last_tsn);
    RUN(other_requests);
    RUN(streams_are_added);
    RUN(all_streams_at_once);
    RUN(too_many_events);
    RUN(as_many_events_as_there_may_be);
    CHECK_MAIN_END;
}
