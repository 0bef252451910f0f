/* proto/channel over real associations: opening, messages, closing (RFC 8831, 8832). */
#include "channel_pair.h"

static void test_open_in_band(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x8d");
    options.subprotocol = rt_span_text("json");
    options.ordered = false;
    options.max_retransmits = 3;
    options.priority = 512;
    uint32_t other;
    uint32_t handle = open_both(p, &options, &other);
    rt_channel_info mine = info_of(&p->a, handle), theirs = info_of(&p->b, other);
    CHECK_EQ(mine.state, RT_CHANNEL_OPEN);
    CHECK_EQ(mine.id, 0);
    CHECK(!mine.incoming);
    CHECK_EQ(theirs.state, RT_CHANNEL_OPEN);
    CHECK(theirs.incoming);
    CHECK_EQ(theirs.id, 0);
    CHECK(rt_span_equal(theirs.label, options.label));
    CHECK(rt_span_equal(theirs.subprotocol, options.subprotocol));
    CHECK(!theirs.ordered);
    CHECK_EQ(theirs.max_retransmits, 3);
    CHECK_EQ(theirs.max_lifetime_ms, -1);
    CHECK_EQ(theirs.priority, 512);
    expect_none(&p->a);
    expect_none(&p->b);
    pair_free(p);
}

static void test_life_time_channel(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("");
    options.max_lifetime_ms = 150;
    uint32_t other;
    (void)open_both(p, &options, &other);
    rt_channel_info theirs = info_of(&p->b, other);
    CHECK_EQ(theirs.max_lifetime_ms, 150);
    CHECK_EQ(theirs.max_retransmits, -1);
    CHECK(theirs.ordered);
    CHECK_EQ(theirs.label.size, 0);
    CHECK_EQ(theirs.priority, 256);
    pair_free(p);
}

/* Before the role and the association: ids come in the order of creation. */
static void test_ids_by_role(void)
{
    pair *p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    p->now = RT_SECONDS(1);
    end_new(&p->a, 1, 0);
    end_new(&p->b, 2, 0);
    rt_channel_options options = options_of("early");
    rt_channel_options fixed = options_of("fixed");
    fixed.negotiated = true;
    fixed.id = 2;
    uint32_t first = open_channel(p, &p->a, &options);
    uint32_t second = open_channel(p, &p->a, &fixed);
    uint32_t third = open_channel(p, &p->a, &options);
    uint32_t theirs = open_channel(p, &p->b, &options);
    (void)open_channel(p, &p->b, &fixed);
    CHECK_EQ(info_of(&p->a, first).id, RT_CHANNEL_ID_NONE);
    CHECK_EQ(info_of(&p->a, first).state, RT_CHANNEL_CONNECTING);
    CHECK_EQ(rt_channel_send(p->a.channels, first, rt_span_text("x"), false, p->now), RT_UNEXPECTED);
    rt_channels_set_role(p->a.channels, true, p->now);
    rt_channels_set_role(p->b.channels, false, p->now);
    CHECK_EQ(info_of(&p->a, first).id, 0);
    CHECK_EQ(info_of(&p->a, second).id, 2);
    CHECK_EQ(info_of(&p->a, third).id, 4);
    CHECK_EQ(info_of(&p->b, theirs).id, 1);
    pair_connect(p);
    (void)expect(&p->a, RT_CHANNEL_EVENT_CONNECTED);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_OPEN)->handle, first);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_OPEN)->handle, second);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_OPEN)->handle, third);
    CHECK_EQ(info_of(&p->a, expect(&p->a, RT_CHANNEL_EVENT_INCOMING)->handle).id, 1);
    expect_none(&p->a);
    pair_free(p);
}

static void test_messages_of_all_kinds(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("data");
    uint32_t other;
    uint32_t handle = open_both(p, &options, &other);
    static uint8_t big[262144];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7 + i / 251);
    struct {
        rt_span data;
        bool binary;
    } kinds[] = {
        {rt_span_text("hello"), false},       {rt_span_of("\0\1\2", 3), true},
        {rt_span_of("", 0), false},           {rt_span_of("", 0), true},
        {rt_span_of("\0", 1), true},          {rt_span_of(big, sizeof big), true},
        {rt_span_of(big, sizeof big), false},
    };
    enum { KINDS = sizeof kinds / sizeof kinds[0] };
    for (size_t i = 0; i < KINDS; i++) {
        CHECK_EQ(rt_channel_send(p->a.channels, handle, kinds[i].data, kinds[i].binary, p->now), RT_OK);
        CHECK_EQ(rt_channel_send(p->b.channels, other, kinds[i].data, kinds[i].binary, p->now), RT_OK);
    }
    pair_run(p, RT_SECONDS(1));
    uint64_t bytes = 0;
    for (size_t i = 0; i < KINDS; i++) {
        end *ends[] = {&p->a, &p->b};
        for (int k = 0; k < 2; k++) {
            heard *h = expect(ends[k], RT_CHANNEL_EVENT_MESSAGE);
            CHECK_EQ(h->handle, k ? other : handle);
            CHECK_EQ(h->binary, kinds[i].binary);
            CHECK(!h->unordered);
            CHECK(rt_span_equal(rt_span_of(h->data, h->size), kinds[i].data));
        }
        bytes += kinds[i].data.size;
    }
    rt_channel_info mine = info_of(&p->a, handle), theirs = info_of(&p->b, other);
    CHECK_EQ(mine.messages_sent, KINDS);
    CHECK_EQ(mine.messages_received, KINDS);
    CHECK_EQ(mine.bytes_sent, bytes);
    CHECK_EQ(theirs.bytes_received, bytes);
    expect_none(&p->a);
    expect_none(&p->b);
    pair_free(p);
}

/* RFC 8832 section 6: ordered until the ACK came, so that nothing overtakes the OPEN. */
static void test_unordered_after_ack(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("u");
    options.ordered = false;
    uint32_t handle = open_channel(p, &p->a, &options);
    end_listen(&p->a, p->now);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_OPEN)->handle, handle);
    CHECK_EQ(rt_channel_send(p->a.channels, handle, rt_span_text("one"), false, p->now), RT_OK);
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(rt_channel_send(p->a.channels, handle, rt_span_text("two"), false, p->now), RT_OK);
    pair_run(p, RT_SECONDS(1));
    uint32_t other = expect(&p->b, RT_CHANNEL_EVENT_INCOMING)->handle;
    CHECK(!expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->unordered);
    CHECK(expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->unordered);
    CHECK_EQ(rt_channel_send(p->b.channels, other, rt_span_text("three"), false, p->now), RT_OK);
    pair_run(p, RT_SECONDS(1));
    CHECK(expect(&p->a, RT_CHANNEL_EVENT_MESSAGE)->unordered);
    pair_free(p);
}

static void test_negotiated(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("fixed");
    options.negotiated = true;
    options.id = 1000;
    uint32_t a = open_channel(p, &p->a, &options);
    uint32_t b = open_channel(p, &p->b, &options);
    uint32_t again = 0;
    CHECK_EQ(rt_channel_open(p->a.channels, &options, &again, p->now), RT_EXISTS);
    CHECK_EQ(rt_channel_send(p->a.channels, a, rt_span_text("now"), false, p->now), RT_OK);
    pair_run(p, RT_SECONDS(1));
    (void)expect(&p->a, RT_CHANNEL_EVENT_OPEN);
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_OPEN)->handle, b);
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->handle, b);
    CHECK_EQ(stats_of(&p->b).unexpected, 0);
    expect_none(&p->b);
    pair_free(p);
}

static void test_wrong_options(void)
{
    pair *p = pair_connected();
    uint32_t handle = 0;
    rt_channel_options both = options_of("x");
    both.max_retransmits = both.max_lifetime_ms = 1;
    CHECK_EQ(rt_channel_open(p->a.channels, &both, &handle, p->now), RT_INVALID);
    rt_channel_options negative = options_of("x");
    negative.max_retransmits = -2;
    CHECK_EQ(rt_channel_open(p->a.channels, &negative, &handle, p->now), RT_INVALID);
    rt_channel_options no_id = options_of("x");
    no_id.negotiated = true;
    CHECK_EQ(rt_channel_open(p->a.channels, &no_id, &handle, p->now), RT_INVALID);
    rt_channel_options own_id = options_of("x");
    own_id.id = 4;
    CHECK_EQ(rt_channel_open(p->a.channels, &own_id, &handle, p->now), RT_INVALID);
    rt_channel_options long_label = options_of("x");
    long_label.label.size = 65536;
    CHECK_EQ(rt_channel_open(p->a.channels, &long_label, &handle, p->now), RT_INVALID);
    CHECK_EQ(handle, 0);
    CHECK_EQ(rt_channel_send(p->a.channels, 77, rt_span_text("x"), false, p->now), RT_NOT_FOUND);
    CHECK_EQ(rt_channel_close(p->a.channels, 77, p->now), RT_NOT_FOUND);
    CHECK_EQ(rt_channel_set_buffered_low(p->a.channels, 77, 1), RT_NOT_FOUND);
    rt_channel_info info;
    CHECK_EQ(rt_channel_get(p->a.channels, 77, &info), RT_NOT_FOUND);
    CHECK_EQ(rt_channel_buffered(p->a.channels, 77), 0);
    rt_channel_forget(p->a.channels, 77);
    expect_none(&p->a);
    pair_free(p);
}

/* What was queued before close() arrives; both sides end; the id is free again. */
static void test_close(void)
{
    for (int closer = 0; closer < 2; closer++) {
        pair *p = pair_connected();
        rt_channel_options options = options_of("c");
        uint32_t other;
        uint32_t handle = open_both(p, &options, &other);
        end *one = closer ? &p->b : &p->a, *two = closer ? &p->a : &p->b;
        uint32_t one_handle = closer ? other : handle, two_handle = closer ? handle : other;
        for (int i = 0; i < 100; i++) {
            CHECK_EQ(rt_channel_send(one->channels, one_handle, rt_span_text("from one"), false, p->now), RT_OK);
            CHECK_EQ(rt_channel_send(two->channels, two_handle, rt_span_text("from two"), false, p->now), RT_OK);
        }
        CHECK_EQ(rt_channel_close(one->channels, one_handle, p->now), RT_OK);
        CHECK_EQ(rt_channel_close(one->channels, one_handle, p->now), RT_OK);
        CHECK_EQ(info_of(one, one_handle).state, RT_CHANNEL_CLOSING);
        CHECK_EQ(rt_channel_send(one->channels, one_handle, rt_span_text("late"), false, p->now), RT_UNEXPECTED);
        pair_run(p, RT_SECONDS(2));
        for (int i = 0; i < 100; i++) {
            CHECK_EQ(expect(one, RT_CHANNEL_EVENT_MESSAGE)->size, 8);
            CHECK_EQ(expect(two, RT_CHANNEL_EVENT_MESSAGE)->size, 8);
        }
        heard *ended = expect(one, RT_CHANNEL_EVENT_CLOSED);
        CHECK_EQ(ended->handle, one_handle);
        CHECK_EQ(ended->error, 0);
        CHECK_EQ(expect(two, RT_CHANNEL_EVENT_CLOSING)->handle, two_handle);
        CHECK_EQ(expect(two, RT_CHANNEL_EVENT_CLOSED)->error, 0);
        expect_none(one);
        expect_none(two);
        CHECK_EQ(stats_of(one).opened, 1);
        CHECK_EQ(stats_of(one).closed, 1);
        CHECK_EQ(info_of(one, one_handle).messages_received, 100); /* kept until it is forgotten */
        rt_channel_forget(one->channels, one_handle);
        rt_channel_info info;
        CHECK_EQ(rt_channel_get(one->channels, one_handle, &info), RT_NOT_FOUND);

        uint32_t again = open_both(p, &options, &other);
        CHECK_EQ(info_of(&p->a, again).id, 0);
        CHECK(again != handle);
        CHECK_EQ(rt_channel_send(p->a.channels, again, rt_span_text("anew"), false, p->now), RT_OK);
        pair_run(p, RT_SECONDS(1));
        CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->handle, other);
        pair_free(p);
    }
}

static void test_both_close_at_once(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("c");
    uint32_t other;
    uint32_t handle = open_both(p, &options, &other);
    CHECK_EQ(rt_channel_send(p->a.channels, handle, rt_span_text("x"), false, p->now), RT_OK);
    CHECK_EQ(rt_channel_send(p->b.channels, other, rt_span_text("y"), false, p->now), RT_OK);
    CHECK_EQ(rt_channel_close(p->a.channels, handle, p->now), RT_OK);
    CHECK_EQ(rt_channel_close(p->b.channels, other, p->now), RT_OK);
    pair_run(p, RT_SECONDS(2));
    (void)expect(&p->a, RT_CHANNEL_EVENT_MESSAGE);
    (void)expect(&p->b, RT_CHANNEL_EVENT_MESSAGE);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_CLOSED)->error, 0);
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_CLOSED)->error, 0);
    expect_none(&p->a);
    expect_none(&p->b);
    pair_free(p);
}

/* Closed before the peer could know of it: at once. */
static void test_close_before_connected(void)
{
    pair *p = pair_new_limited(0);
    rt_channel_options options = options_of("never");
    uint32_t handle = open_channel(p, &p->a, &options);
    CHECK_EQ(rt_channel_close(p->a.channels, handle, p->now), RT_OK);
    end_listen(&p->a, p->now);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_CLOSED)->handle, handle);
    uint32_t next = open_channel(p, &p->a, &options);
    CHECK_EQ(info_of(&p->a, next).id, 0);
    pair_connect(p);
    (void)expect(&p->b, RT_CHANNEL_EVENT_CONNECTED);
    (void)expect(&p->b, RT_CHANNEL_EVENT_INCOMING);
    expect_none(&p->b);
    CHECK_EQ(stats_of(&p->a).opened, 1);
    CHECK_EQ(stats_of(&p->a).closed, 0);
    pair_free(p);
}

static void test_buffered_amount(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("b");
    uint32_t handle = open_channel(p, &p->a, &options);
    static uint8_t block[1000];
    CHECK_EQ(rt_channel_buffered(p->a.channels, handle), 0); /* its OPEN does not count */
    CHECK_EQ(rt_channel_set_buffered_low(p->a.channels, handle, 500), RT_OK);
    end_listen(&p->a, p->now);
    for (int i = 1; i <= 50; i++) {
        CHECK_EQ(rt_channel_send(p->a.channels, handle, rt_span_of(block, sizeof block), true, p->now), RT_OK);
        CHECK_EQ(rt_channel_buffered(p->a.channels, handle), i * 1000);
    }
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(rt_channel_buffered(p->a.channels, handle), 0);
    (void)expect(&p->a, RT_CHANNEL_EVENT_OPEN);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_BUFFERED_LOW)->handle, handle);
    expect_none(&p->a);
    pair_free(p);
}

/* The send buffer is full: RT_AGAIN, then SEND_ROOM; channels opened meanwhile open in the end. */
static void test_back_pressure(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("bulk");
    uint32_t other;
    uint32_t handle = open_both(p, &options, &other);
    static uint8_t block[65536];
    int sent = 0;
    rt_status status;
    while ((status = rt_channel_send(p->a.channels, handle, rt_span_of(block, sizeof block), true, p->now)) == RT_OK)
        sent++;
    CHECK_EQ(status, RT_AGAIN);
    CHECK(sent >= 63);
    uint32_t late[20];
    for (int i = 0; i < 20; i++)
        late[i] = open_channel(p, &p->a, &options);
    CHECK_EQ(rt_channel_close(p->a.channels, late[7], p->now), RT_OK);
    end_listen(&p->a, p->now);
    pair_run(p, RT_SECONDS(5));
    int opened = 0, room = 0, closed = 0;
    for (; p->a.seen < p->a.count; p->a.seen++) {
        opened += p->a.events[p->a.seen].type == RT_CHANNEL_EVENT_OPEN;
        room += p->a.events[p->a.seen].type == RT_CHANNEL_EVENT_SEND_ROOM;
        closed += p->a.events[p->a.seen].type == RT_CHANNEL_EVENT_CLOSED;
    }
    CHECK_EQ(room, 1);
    CHECK_EQ(closed, 1);
    CHECK(opened == 19 || opened == 20);
    int incoming = 0, messages = 0;
    for (; p->b.seen < p->b.count; p->b.seen++) {
        incoming += p->b.events[p->b.seen].type == RT_CHANNEL_EVENT_INCOMING;
        messages += p->b.events[p->b.seen].type == RT_CHANNEL_EVENT_MESSAGE;
    }
    CHECK_EQ(incoming, opened);
    CHECK_EQ(messages, sent);
    pair_free(p);
}

/* Taken up while the send buffer is full, and closed at once: the ACK still goes first, so that the opener
 * sees a close and not a refusal. Until then nothing can be sent. */
static void test_close_before_ack(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("bulk");
    uint32_t other;
    (void)open_both(p, &options, &other);
    static uint8_t block[65536];
    while (rt_channel_send(p->b.channels, other, rt_span_of(block, sizeof block), true, p->now) == RT_OK)
        continue;
    for (uint32_t room; (room = rt_sctp_send_room(p->b.sctp)) > 0;)
        CHECK_EQ(rt_channel_send(p->b.channels, other, rt_span_of(block, room), true, p->now), RT_OK);
    uint32_t handle = open_channel(p, &p->a, &options);
    (void)pair_carry(p, &p->a, &p->b);
    end_listen(&p->b, p->now);
    uint32_t late = expect(&p->b, RT_CHANNEL_EVENT_INCOMING)->handle;
    CHECK_EQ(rt_channel_send(p->b.channels, late, rt_span_text("x"), false, p->now), RT_AGAIN);
    CHECK_EQ(rt_channel_close(p->b.channels, late, p->now), RT_OK);
    pair_run(p, RT_SECONDS(5));
    CHECK_EQ(info_of(&p->a, handle).state, RT_CHANNEL_CLOSED);
    for (; p->a.seen < p->a.count; p->a.seen++) {
        if (p->a.events[p->a.seen].type == RT_CHANNEL_EVENT_CLOSED)
            CHECK_EQ(p->a.events[p->a.seen].error, 0);
    }
    (void)expect(&p->b, RT_CHANNEL_EVENT_SEND_ROOM);
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_CLOSED)->handle, late);
    pair_free(p);
}

/* All ids of one role, then none is free; closing one gives its id to the next. */
static void test_all_channels(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("many");
    uint32_t streams = rt_sctp_streams_out(p->a.sctp);
    CHECK(streams >= 65534);
    uint32_t handle = 0, count = 0, middle = 0;
    rt_status status;
    while ((status = rt_channel_open(p->a.channels, &options, &handle, p->now)) == RT_OK) {
        if (++count == 10000)
            middle = handle;
    }
    CHECK_EQ(status, RT_AGAIN);
    CHECK_EQ(count, 32768 - (streams < 65535));
    pair_run(p, RT_SECONDS(5));
    for (uint32_t i = 0; i < count; i++)
        (void)expect(&p->a, RT_CHANNEL_EVENT_OPEN);
    uint32_t last = 0;
    for (uint32_t i = 0; i < count; i++) { /* not in order: streams take turns */
        uint32_t incoming = expect(&p->b, RT_CHANNEL_EVENT_INCOMING)->handle;
        if (info_of(&p->b, incoming).id == (count - 1) * 2)
            last = incoming;
    }
    CHECK(last != 0);
    CHECK_EQ(rt_channel_send(p->b.channels, last, rt_span_text("top"), false, p->now), RT_OK);
    CHECK_EQ(rt_channel_close(p->a.channels, middle, p->now), RT_OK);
    pair_run(p, RT_SECONDS(2));
    (void)expect(&p->a, RT_CHANNEL_EVENT_MESSAGE);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_CLOSED)->handle, middle);
    CHECK_EQ(rt_channel_open(p->a.channels, &options, &handle, p->now), RT_OK);
    CHECK_EQ(info_of(&p->a, handle).id, 2 * 9999);
    pair_free(p);
}

static void test_end_of_association(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("x");
    uint32_t other;
    uint32_t handle = open_both(p, &options, &other);
    rt_sctp_abort(p->a.sctp, rt_span_text("enough"), p->now);
    pair_run(p, RT_SECONDS(1));
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_CLOSED)->handle, other);
    heard *gone = expect(&p->b, RT_CHANNEL_EVENT_DISCONNECTED);
    CHECK(gone->error != 0);
    CHECK_EQ(expect(&p->a, RT_CHANNEL_EVENT_CLOSED)->handle, handle);
    (void)expect(&p->a, RT_CHANNEL_EVENT_DISCONNECTED);
    expect_none(&p->a);
    uint32_t none;
    CHECK_EQ(rt_channel_open(p->a.channels, &options, &none, p->now), RT_CLOSED);
    CHECK_EQ(rt_channel_send(p->a.channels, handle, rt_span_text("x"), false, p->now), RT_UNEXPECTED);
    pair_free(p);
}

/* The transport ends: what has arrived is told first. */
static void test_end_of_transport(void)
{
    pair *p = pair_connected();
    rt_channel_options options = options_of("x");
    uint32_t other;
    uint32_t handle = open_both(p, &options, &other);
    CHECK_EQ(rt_channel_send(p->a.channels, handle, rt_span_text("last words"), false, p->now), RT_OK);
    (void)pair_carry(p, &p->a, &p->b);
    rt_channels_end(p->b.channels, RT_CHANNEL_FAILED, "gone");
    rt_channels_end(p->b.channels, 1, "again");
    CHECK_EQ(rt_channel_send(p->b.channels, other, rt_span_text("x"), false, p->now), RT_CLOSED);
    end_listen(&p->b, p->now);
    CHECK_EQ(expect(&p->b, RT_CHANNEL_EVENT_MESSAGE)->size, 10);
    heard *closed = expect(&p->b, RT_CHANNEL_EVENT_CLOSED);
    CHECK_EQ(closed->error, RT_CHANNEL_FAILED);
    CHECK(strcmp(closed->text, "gone") == 0);
    CHECK(strcmp(expect(&p->b, RT_CHANNEL_EVENT_DISCONNECTED)->text, "gone") == 0);
    expect_none(&p->b);
    pair_free(p);
}

int main(int argc, char **argv)
{
    RUN(test_open_in_band);
    RUN(test_life_time_channel);
    RUN(test_ids_by_role);
    RUN(test_messages_of_all_kinds);
    RUN(test_unordered_after_ack);
    RUN(test_negotiated);
    RUN(test_wrong_options);
    RUN(test_close);
    RUN(test_both_close_at_once);
    RUN(test_close_before_connected);
    RUN(test_buffered_amount);
    RUN(test_back_pressure);
    RUN(test_close_before_ack);
    RUN(test_all_channels);
    RUN(test_end_of_association);
    RUN(test_end_of_transport);
    CHECK_MAIN_END;
}
