/* proto/dtls after the handshake: records that are forged, cut, replayed, late or out of place. */
#include "dtls_pair.h"
#include "proto/dtls_internal.h"

static rt_dtls_stats stats_of(dtls_pair *pair, int end)
{
    rt_dtls_stats stats;
    rt_dtls_get_stats(pair->ends[end], &stats);
    return stats;
}

static rt_status receive(dtls_pair *pair, int end, const uint8_t *record, size_t size)
{
    uint8_t copy[20000];
    memcpy(copy, record, size);
    return rt_dtls_receive(pair->ends[end], rt_buffer_of(copy, size), pair->now);
}

static int count_records(dtls_pair *pair, int end)
{
    rt_span text;
    int count = 0;
    while (rt_dtls_read(pair->ends[end], &text))
        count++;
    return count;
}

static void many_records_both_ways(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    uint8_t record[2048], text[1200];
    rt_span out;
    for (uint32_t i = 0; i < 65536 + 100; i++) {
        int from = i & 1;
        size_t size = i % sizeof text;
        memset(text, (int)i, sizeof text);
        size_t sealed = pair_seal(pair, from, rt_span_of(text, size), record);
        CHECK_EQ(sealed, size + RT_DTLS_OVERHEAD);
        CHECK_EQ(rt_dtls_receive(pair->ends[!from], rt_buffer_of(record, sealed), pair->now), RT_OK);
        CHECK(rt_dtls_read(pair->ends[!from], &out));
        CHECK(rt_span_equal(out, rt_span_of(text, size)));
        CHECK(!rt_dtls_read(pair->ends[!from], &out));
    }
    rt_dtls_stats sent = stats_of(pair, CLIENT), received = stats_of(pair, SERVER);
    CHECK_EQ(sent.records_sent, received.records_received);
    CHECK_EQ(sent.bytes_sent, received.bytes_received);
    CHECK_EQ(received.malformed + received.unauthenticated + received.replayed + received.unexpected, 0);
    pair_free(pair);
}

static void largest_record(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    static uint8_t record[RECORD_MAX + RT_DTLS_OVERHEAD], text[RECORD_MAX];
    size_t size = pair_seal(pair, CLIENT, rt_span_of(text, RECORD_MAX), record);
    CHECK_EQ(receive(pair, SERVER, record, size), RT_OK);
    CHECK_EQ(count_records(pair, SERVER), 1);
    rt_packet packet = {.data = record + RT_DTLS_HEADROOM, .size = RECORD_MAX + 1};
    CHECK_EQ(rt_dtls_seal(pair->ends[CLIENT], &packet), RT_TOO_LARGE);
    pair_free(pair);
}

/* One changed bit anywhere: the record is dropped, the original is still good, the connection lives. */
static void tampered(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    uint8_t record[256], copy[256];
    rt_span text = rt_span_text("the only truth");
    size_t size = pair_seal(pair, CLIENT, text, record);
    for (size_t bit = 0; bit < size * 8; bit++) {
        memcpy(copy, record, size);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(rt_dtls_receive(pair->ends[SERVER], rt_buffer_of(copy, size), pair->now) != RT_OK);
        CHECK_EQ(count_records(pair, SERVER), 0);
    }
    CHECK_EQ(receive(pair, SERVER, record, size), RT_OK);
    CHECK_EQ(rt_dtls_get_state(pair->ends[SERVER]), RT_DTLS_CONNECTED);
    rt_dtls_stats stats = stats_of(pair, SERVER);
    CHECK(stats.unauthenticated > 0 && stats.malformed > 0 && stats.unexpected > 0);
    CHECK_EQ(stats.records_received, 0);
    pair_free(pair);
}

static void truncated(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    uint8_t record[256];
    size_t size = pair_seal(pair, CLIENT, rt_span_text("text"), record);
    for (size_t cut = 1; cut < size; cut++) {
        CHECK_EQ(receive(pair, SERVER, record, cut), RT_MALFORMED);
        if (cut < RECORD_HEADER)
            continue;
        uint8_t fitted[256]; /* the header says the shorter length */
        memcpy(fitted, record, cut);
        rt_store16(fitted + 11, (uint16_t)(cut - RECORD_HEADER));
        CHECK(receive(pair, SERVER, fitted, cut) != RT_OK);
        CHECK_EQ(count_records(pair, SERVER), 0);
    }
    CHECK_EQ(receive(pair, SERVER, record, size), RT_OK);
    CHECK_EQ(count_records(pair, SERVER), 1);
    pair_free(pair);
}

/* Several records in one datagram: bad ones in between do not take the good ones with them. */
static void several_in_one_datagram(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    uint8_t datagram[1024];
    size_t sizes[4], size = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t text[3] = {'a', 'b', (uint8_t)i};
        sizes[i] = pair_seal(pair, SERVER, rt_span_of(text, 3), datagram + size);
        size += sizes[i];
    }
    datagram[sizes[0] + RT_DTLS_HEADROOM] ^= 1;
    memcpy(datagram + size, "\x17\xfe", 2); /* and rubbish at the end */
    size += 2;
    CHECK_EQ(rt_dtls_receive(pair->ends[CLIENT], rt_buffer_of(datagram, size), pair->now), RT_MALFORMED);
    rt_span text;
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            continue;
        CHECK(rt_dtls_read(pair->ends[CLIENT], &text));
        CHECK_EQ(text.size, 3);
        CHECK_EQ(text.data[2], i);
    }
    CHECK(!rt_dtls_read(pair->ends[CLIENT], &text));
    pair_free(pair);
}

static void replayed_and_reordered(void)
{
    enum { COUNT = 1000, SIZE = 1 + RT_DTLS_OVERHEAD };
    static uint8_t records[COUNT][SIZE];
    dtls_pair *pair = pair_connected(NULL, NULL);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(pair_seal(pair, CLIENT, rt_span_of("x", 1), records[i]), SIZE);
    CHECK_EQ(receive(pair, SERVER, records[500], SIZE), RT_OK);
    CHECK_EQ(receive(pair, SERVER, records[500], SIZE), RT_REPLAYED);
    CHECK_EQ(receive(pair, SERVER, records[500 - WINDOW_SIZE + 1], SIZE), RT_OK);
    CHECK_EQ(receive(pair, SERVER, records[500 - WINDOW_SIZE], SIZE), RT_REPLAYED); /* too old to tell */
    for (int i = 999; i >= 1000 - WINDOW_SIZE; i--)
        CHECK_EQ(receive(pair, SERVER, records[i], SIZE), RT_OK);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(receive(pair, SERVER, records[i], SIZE), RT_REPLAYED);
    CHECK_EQ(stats_of(pair, SERVER).replayed, 2 + COUNT);
    pair_free(pair);
}

/* The window against the whole truth, over random walks with jumps of all sizes. */
static void window_model(void)
{
    enum { SPAN = 100000 };
    static uint8_t seen[SPAN];
    for (uint64_t seed = 0; seed < 50; seed++) {
        rt_random random;
        rt_random_init_number(&random, seed);
        rt_dtls_window window = {0};
        memset(seen, 0, sizeof seen);
        int64_t top = -1;
        for (int i = 0; i < 3000; i++) {
            int64_t reach = (int64_t)1 << rt_random_below(&random, 11);
            int64_t at = top + (int64_t)rt_random_below(&random, (uint32_t)(2 * reach)) - reach;
            if (at < 0 || at >= SPAN)
                continue;
            bool expected = at > top || (at > top - WINDOW_SIZE && !seen[at]);
            bool fresh = rt_dtls_window_fresh(&window, (uint64_t)at);
            if (fresh != expected)
                fprintf(stderr, "seed %" PRIu64 ", step %d\n", seed, i);
            CHECK_EQ(fresh, expected);
            if (fresh) {
                rt_dtls_window_mark(&window, (uint64_t)at);
                seen[at] = 1;
                top = at > top ? at : top;
            }
        }
    }
}

/* Without the keys nobody gets a word in after the handshake: not in epoch 0, not in one to come. */
static void out_of_place(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    static const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40};
    static const uint8_t change[] = {20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 1, 1};
    static const uint8_t hello[] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 98, 0, 12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t data[] = {23, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 1, 1};
    uint8_t future[sizeof data];
    memcpy(future, data, sizeof data);
    future[4] = 2;
    for (int end = 0; end < 2; end++) {
        CHECK_EQ(receive(pair, end, alert, sizeof alert), RT_UNEXPECTED);
        CHECK_EQ(receive(pair, end, change, sizeof change), RT_UNEXPECTED);
        CHECK_EQ(receive(pair, end, hello, sizeof hello), RT_UNEXPECTED);
        CHECK_EQ(receive(pair, end, data, sizeof data), RT_UNEXPECTED);
        CHECK_EQ(receive(pair, end, future, sizeof future), RT_UNEXPECTED);
        CHECK_EQ(stats_of(pair, end).unexpected, 5);
        CHECK_EQ(rt_dtls_get_state(pair->ends[end]), RT_DTLS_CONNECTED);
        CHECK_EQ(count_records(pair, end), 0);
    }
    CHECK_EQ(pair_run(pair), 0);
    pair_free(pair);
}

/* Authenticated records that are no application data, made with the peer's own sealer. */
static void control_records(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    static const struct {
        uint8_t type, size;
        uint8_t payload[12];
        rt_status status;
    } controls[] = {
        {CONTENT_ALERT, 2, {ALERT_WARNING, 90}, RT_OK}, /* user_canceled: a warning is ignored */
        {CONTENT_ALERT, 1, {ALERT_FATAL}, RT_UNEXPECTED},
        {CONTENT_HANDSHAKE, 12, {0}, RT_UNEXPECTED}, /* HelloRequest: there is no renegotiation */
        {CONTENT_HANDSHAKE, 12, {HANDSHAKE_CLIENT_HELLO}, RT_UNEXPECTED},
        {CONTENT_HANDSHAKE, 1, {HANDSHAKE_FINISHED}, RT_UNEXPECTED},
        {CONTENT_CHANGE_CIPHER_SPEC, 1, {1}, RT_UNEXPECTED},
    };
    uint8_t record[128];
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        memcpy(record + RT_DTLS_HEADROOM, controls[i].payload, controls[i].size);
        CHECK_EQ(rt_dtls_record_seal(pair->ends[CLIENT], record, controls[i].type, DTLS_1_2, 1, controls[i].size),
                 RT_OK);
        CHECK_EQ(receive(pair, SERVER, record, controls[i].size + RT_DTLS_OVERHEAD), controls[i].status);
        CHECK_EQ(rt_dtls_get_state(pair->ends[SERVER]), RT_DTLS_CONNECTED);
        CHECK_EQ(pair_run(pair), 0);
    }
    memcpy(record + RT_DTLS_HEADROOM, (uint8_t[]){ALERT_FATAL, 80}, 2);
    CHECK_EQ(rt_dtls_record_seal(pair->ends[CLIENT], record, CONTENT_ALERT, DTLS_1_2, 1, 2), RT_OK);
    CHECK_EQ(receive(pair, SERVER, record, 2 + RT_DTLS_OVERHEAD), RT_OK);
    rt_dtls_event event = pair_event(pair, SERVER);
    CHECK_EQ(event.state, RT_DTLS_FAILED);
    CHECK(strcmp(event.text, "the peer sent alert \"internal error\"") == 0);
    pair_free(pair);
}

/* Each repetition of the client's Finished is answered once; a server's repetition never. */
static void repeated_finished(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    uint8_t record[128], finished[24] = {HANDSHAKE_FINISHED, 0, 0, 12, 0, 7, 0, 0, 0, 0, 0, 12};
    for (int from = 0; from < 2; from++) {
        memcpy(record + RT_DTLS_HEADROOM, finished, sizeof finished);
        CHECK_EQ(rt_dtls_record_seal(pair->ends[from], record, CONTENT_HANDSHAKE, DTLS_1_2, 1, sizeof finished), RT_OK);
        CHECK_EQ(receive(pair, !from, record, sizeof finished + RT_DTLS_OVERHEAD), RT_OK);
        CHECK_EQ(receive(pair, !from, record, sizeof finished + RT_DTLS_OVERHEAD), RT_REPLAYED);
        CHECK_EQ(pair_run(pair), from == CLIENT ? 1 : 0);
    }
    pair_free(pair);
}

static void sequence_numbers_end(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    uint8_t record[64];
    pair->ends[CLIENT]->sequence[1] = SEQUENCE_MAX;
    CHECK_EQ(pair_seal(pair, CLIENT, rt_span_of("x", 1), record), 1 + RT_DTLS_OVERHEAD);
    CHECK_EQ(receive(pair, SERVER, record, 1 + RT_DTLS_OVERHEAD), RT_OK);
    rt_packet packet = {.data = record + RT_DTLS_HEADROOM, .size = 1};
    CHECK_EQ(rt_dtls_seal(pair->ends[CLIENT], &packet), RT_CLOSED);
    rt_dtls_close(pair->ends[CLIENT], pair->now); /* without a number for the good-bye */
    CHECK_EQ(pair_run(pair), 0);

    /* A last flight that is asked for again cannot be sealed either. */
    pair->ends[SERVER]->sequence[1] = SEQUENCE_MAX + 1;
    rt_dtls_flight_rewind(&pair->ends[SERVER]->flight);
    CHECK_EQ(pair_run(pair), 0);
    CHECK_EQ(rt_dtls_get_state(pair->ends[SERVER]), RT_DTLS_FAILED);
    pair_free(pair);
}

int main(int argc, char **argv)
{
    RUN(many_records_both_ways);
    RUN(largest_record);
    RUN(tampered);
    RUN(truncated);
    RUN(several_in_one_datagram);
    RUN(replayed_and_reordered);
    RUN(window_model);
    RUN(out_of_place);
    RUN(control_records);
    RUN(repeated_finished);
    RUN(sequence_numbers_end);
    CHECK_MAIN_END;
}
