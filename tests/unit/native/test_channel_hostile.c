/* proto/channel against a peer that breaks the rules (RFC 8831 section 6.6, RFC 8832 section 6). */
#include "channel_pair.h"

static rt_span open_message(uint8_t memory[64], const char *label)
{
    rt_dcep_open open = {.priority = 256, .label = rt_span_text(label)};
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, 64));
    CHECK_EQ(rt_dcep_write_open(&writer, &open), RT_OK);
    return rt_span_of(memory, rt_writer_size(&writer));
}

/* A malformed OPEN, one of an unknown type, one of the wrong parity: no channel, the stream is reset. */
static void test_bad_open_is_refused(void)
{
    pair *p = pair_connected();
    uint8_t memory[64];
    rt_span good = open_message(memory, "x");
    send_raw(p, &p->a, 10, RT_PPID_DCEP, rt_span_of(good.data, good.size - 1));
    send_raw(p, &p->a, 11, RT_PPID_DCEP, good); /* odd ids are b's */
    memory[1] = 0x44;
    send_raw(p, &p->a, 12, RT_PPID_DCEP, good);
    pair_run(p, RT_SECONDS(1));
    expect_none(&p->b);
    CHECK_EQ(stats_of(&p->b).malformed, 2);
    CHECK_EQ(stats_of(&p->b).unexpected, 1);
    CHECK_EQ(stats_of(&p->b).opened, 0);

    /* Data there is dropped; the association lives. */
    send_raw(p, &p->a, 10, RT_PPID_STRING, rt_span_text("ignored"));
    rt_channel_options options = options_of("fine");
    uint32_t other;
    (void)open_both(p, &options, &other);
    CHECK_EQ(stats_of(&p->b).unexpected, 2);
    pair_free(p);
}

/* The stream is usable again when both directions of the refused channel are reset. */
static void test_refused_stream_comes_back(void)
{
    pair *p = pair_connected();
    send_raw(p, &p->a, 10, RT_PPID_DCEP, rt_span_of("\x03", 1));
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(rt_sctp_reset_stream(p->a.sctp, 10, p->now), RT_OK);
    pair_run(p, RT_SECONDS(1));
    uint8_t memory[64];
    send_raw(p, &p->a, 10, RT_PPID_DCEP, open_message(memory, "good"));
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(info_of(&p->b, expect(&p->b, RT_CHANNEL_EVENT_INCOMING)->handle).id, 10);
    pair_free(p);
}

static void test_other_dcep(void)
{
    pair *p = pair_connected();
    send_raw(p, &p->a, 4, RT_PPID_DCEP, rt_span_of("\x02", 1)); /* an ACK of nothing */
    send_raw(p, &p->a, 4, RT_PPID_DCEP, rt_span_of("\x02\x00", 2));
    send_raw(p, &p->a, 4, RT_PPID_DCEP, rt_span_of("\x77", 1));
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(stats_of(&p->b).unexpected, 1);
    CHECK_EQ(stats_of(&p->b).malformed, 2);
    expect_none(&p->b);
    pair_free(p);
}

static void test_open_on_used_stream(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("fixed");
    options.negotiated = true;
    options.id = 20;
    uint32_t b = open_channel(p, &p->b, &options);
    end_listen(&p->b, p->now);
    (void)expect(&p->b, RT_CHANNEL_EVENT_OPEN);
    uint8_t memory[64];
    send_raw(p, &p->a, 20, RT_PPID_DCEP, open_message(memory, "mine"));
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_CLOSING)->handle, b);
    expect_none(&p->b);
    CHECK_EQ(stats_of(&p->b).unexpected, 1);
    CHECK_EQ(rt_sctp_reset_stream(p->a.sctp, 20, p->now), RT_OK);
    pair_run(p, RT_SECONDS(1));
    heard *closed = expect(&p->b, RT_CHANNEL_EVENT_CLOSED);
    CHECK_EQ(closed->error, RT_CHANNEL_FAILED);
    CHECK(strlen(closed->text) > 0);
    pair_free(p);
}

/* Our OPEN is answered by a reset. */
static void test_peer_refuses(void)
{
    pair *p = pair_new_limited(1);
    pair_connect(p);
    (void)expect(&p->a, RT_CHANNEL_EVENT_CONNECTED);
    (void)expect(&p->b, RT_CHANNEL_EVENT_CONNECTED);
    rt_channel_options options = options_of("x");
    uint32_t other;
    uint32_t first = open_both(p, &options, &other);
    uint32_t second = open_channel(p, &p->a, &options);
    pair_run(p, RT_SECONDS(2));
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_OPEN)->handle, second);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_CLOSING)->handle, second);
    heard *closed = expect(&p->a, RT_CHANNEL_EVENT_CLOSED);
    CHECK_EQ(closed->handle, second);
    CHECK_EQ(closed->error, RT_CHANNEL_FAILED);
    CHECK_EQ(stats_of(&p->b).refused, 1);
    expect_none(&p->b);

    /* A closed channel counts until it is forgotten: memory is bounded by the limit. */
    CHECK_EQ(rt_channel_close(p->a.channels, first, p->now), RT_OK);
    pair_run(p, RT_SECONDS(2));
    (void)expect(&p->a, RT_CHANNEL_EVENT_CLOSED);
    (void)expect(&p->b, RT_CHANNEL_EVENT_CLOSING);
    (void)expect(&p->b, RT_CHANNEL_EVENT_CLOSED);
    (void)open_channel(p, &p->a, &options);
    pair_run(p, RT_SECONDS(2));
    CHECK_EQ(stats_of(&p->b).refused, 2);
    rt_channel_forget(p->b.channels, other);
    (void)open_channel(p, &p->a, &options);
    pair_run(p, RT_SECONDS(2));
    (void)expect(&p->b, RT_CHANNEL_EVENT_INCOMING);
    pair_free(p);
}

static void test_data_without_channel(void)
{
    pair *p = pair_connected();
    send_raw(p, &p->a, 6, RT_PPID_BINARY, rt_span_text("nobody listens"));
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(stats_of(&p->b).unexpected, 1);
    expect_none(&p->b);
    pair_free(p);
}

static void test_unknown_protocol(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("x");
    uint32_t other;
    uint32_t handle = open_both(p, &options, &other);
    send_raw(p, &p->a, 0, 99, rt_span_text("what is it"));
    CHECK_EQ(rt_channel_send(p->a.channels, handle, rt_span_text("text"), false, p->now), RT_OK);
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(stats_of(&p->b).unexpected, 1);
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->size, 4);
    expect_none(&p->b);
    pair_free(p);
}

/* RFC 8831 section 6.6: the deprecated parts, of which the last has the usual identifier. */
static void test_parts(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("x");
    uint32_t other;
    (void)open_both(p, &options, &other);
    send_raw(p, &p->a, 0, RT_PPID_STRING_PARTIAL, rt_span_text("one "));
    send_raw(p, &p->a, 0, RT_PPID_STRING_PARTIAL, rt_span_text("message "));
    send_raw(p, &p->a, 0, RT_PPID_STRING, rt_span_text("in parts"));
    send_raw(p, &p->a, 0, RT_PPID_BINARY, rt_span_text("whole"));
    pair_run(p, RT_SECONDS(1));
    heard *h = expect(&p->b, RT_CHANNEL_EVENT_MESSAGE);
    CHECK(!h->binary);
    CHECK(rt_span_equal(rt_span_of(h->data, h->size), rt_span_text("one message in parts")));
    CHECK(expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->binary);
    CHECK_EQ(stats_of(&p->b).unexpected, 0);

    /* Bounded. */
    static uint8_t block[65536];
    for (int i = 0; i < 17; i++) {
        send_raw(p, &p->a, 0, RT_PPID_BINARY_PARTIAL, rt_span_of(block, sizeof block));
        pair_run(p, RT_MS(100));
    }
    CHECK_EQ(stats_of(&p->b).unexpected, 1);
    send_raw(p, &p->a, 0, RT_PPID_BINARY, rt_span_text("after"));
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->size, 5);
    rt_sctp_stats sctp;
    rt_sctp_get_stats(p->b.sctp, &sctp);
    CHECK_EQ(sctp.receive_buffered, 0); /* all of it was released */
    pair_free(p);
}

/* The whole life of a stream, again and again, with the next OPEN as early as a peer may send it. */
static void test_reuse_of_a_stream(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("again");
    for (int i = 0; i < 200; i++) {
        uint32_t handle = open_channel(p, &p->a, &options);
        CHECK_EQ(info_of(&p->a, handle).id, 0);
        CHECK_EQ(rt_channel_send(p->a.channels, handle, rt_span_text("x"), false, p->now), RT_OK);
        CHECK_EQ(rt_channel_close(p->a.channels, handle, p->now), RT_OK);
        pair_run(p, RT_MS(500));
        (void)expect(&p->a, RT_CHANNEL_EVENT_OPEN);
        CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_CLOSED)->error, 0);
        uint32_t other = expect(&p->b, RT_CHANNEL_EVENT_INCOMING)->handle;
        CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->handle, other);
        CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_CLOSING)->handle, other);
        CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_CLOSED)->error, 0);
        rt_channel_forget(p->a.channels, handle);
        rt_channel_forget(p->b.channels, other);
    }
    CHECK_EQ(stats_of(&p->b).closed, 200);
    pair_free(p);
}

/* Labels may have 65535 bytes each, and channels may be as many; together they are bounded. */
static void test_labels_are_bounded(void)
{
    enum { COUNT = 100, EACH = 2 * RT_CHANNEL_LABEL_MAX, FIT = RT_CHANNEL_TEXT_MAX / EACH };
    static uint8_t text[RT_CHANNEL_LABEL_MAX];
    memset(text, 'x', sizeof text);
    pair *p = pair_connected();
    rt_channel_options options = options_of("");
    options.label = options.subprotocol = rt_span_of(text, sizeof text);
    uint32_t first = 0;
    for (int i = 0; i < COUNT; i++) {
        uint32_t handle = open_channel(p, &p->a, &options);
        first = first ? first : handle;
        pair_run(p, RT_SECONDS(1));
    }
    CHECK_EQ(stats_of(&p->b).opened, FIT);
    CHECK_EQ(stats_of(&p->b).refused, COUNT - FIT);

    /* A forgotten channel gives its place back. */
    uint32_t theirs = expect(&p->b, RT_CHANNEL_EVENT_INCOMING)->handle;
    CHECK_EQ(rt_channel_close(p->a.channels, first, p->now), RT_OK);
    pair_run(p, RT_SECONDS(2));
    rt_channel_forget(p->b.channels, theirs);
    (void)open_channel(p, &p->a, &options);
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(stats_of(&p->b).opened, FIT + 1);
    pair_free(p);
}

int main(int argc, char **argv)
{
    RUN(test_bad_open_is_refused);
    RUN(test_refused_stream_comes_back);
    RUN(test_labels_are_bounded);
    RUN(test_other_dcep);
    RUN(test_open_on_used_stream);
    RUN(test_peer_refuses);
    RUN(test_data_without_channel);
    RUN(test_unknown_protocol);
    RUN(test_parts);
    RUN(test_reuse_of_a_stream);
    CHECK_MAIN_END;
}
