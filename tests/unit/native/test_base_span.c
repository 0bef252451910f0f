/* base/span, base/seq, base/batch, base/message, base/status, base/time: the small types under everything. */
#include "base/batch.h"
#include "base/message.h"
#include "base/seq.h"
#include "base/span.h"
#include "base/status.h"
#include "base/time.h"
#include "check.h"

static void test_reader(void)
{
    static const uint8_t data[18] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    rt_reader r = rt_reader_of(rt_span_of(data, sizeof data));
    CHECK_EQ(rt_read8(&r), 0x01);
    CHECK_EQ(rt_read16(&r), 0x0203);
    CHECK_EQ(rt_read24(&r), 0x040506);
    CHECK_EQ(rt_read32(&r), 0x0708090a);
    CHECK_EQ(rt_reader_left(&r), 8);
    CHECK_EQ((long long)rt_read64(&r), 0x0b0c0d0e0f101112);
    CHECK_EQ(rt_reader_left(&r), 0);
    CHECK(rt_reader_ok(&r));
    CHECK_EQ(rt_read8(&r), 0);
    CHECK(!rt_reader_ok(&r));
}

static void test_reader_stays_failed(void)
{
    static const uint8_t data[3] = {1, 2, 3};
    rt_reader r = rt_reader_of(rt_span_of(data, sizeof data));
    CHECK_EQ(rt_read32(&r), 0);
    CHECK(!rt_reader_ok(&r));
    CHECK_EQ(rt_read8(&r), 0); /* although a byte was there: nothing is read after a failure */
    CHECK_EQ(rt_reader_left(&r), 0);
    r = rt_reader_of(rt_span_of(data, sizeof data));
    CHECK_EQ(rt_read_span(&r, SIZE_MAX).size, 0);
    CHECK(!rt_reader_ok(&r));
    r = rt_reader_of(rt_span_of(data, sizeof data));
    rt_skip(&r, 3);
    CHECK(rt_reader_ok(&r));
    CHECK_EQ(rt_read_span(&r, 0).size, 0);
    CHECK(rt_reader_ok(&r));
}

static void test_writer(void)
{
    static const uint8_t expected[21] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0, 0, 0xff};
    uint8_t data[24];
    memset(data, 0xee, sizeof data);
    rt_writer w = rt_writer_of(rt_buffer_of(data, 21));
    rt_write8(&w, 0x01);
    rt_write16(&w, 0x0203);
    rt_write24(&w, 0x040506);
    rt_write32(&w, 0x0708090a);
    rt_write64(&w, 0x0b0c0d0e0f101112u);
    rt_write_zeros(&w, 2);
    rt_write_span(&w, rt_span_of("\xff", 1));
    CHECK(rt_writer_ok(&w));
    CHECK_EQ(rt_writer_size(&w), 21);
    CHECK_EQ(rt_writer_left(&w), 0);
    CHECK_BYTES(data, expected, 21);
    rt_write8(&w, 9);
    CHECK(!rt_writer_ok(&w));
    CHECK_EQ(data[21], 0xee);
}

static void test_writer_stays_failed(void)
{
    uint8_t data[4] = {0};
    rt_writer w = rt_writer_of(rt_buffer_of(data, 3));
    rt_write32(&w, 0xffffffff);
    rt_write8(&w, 0xff); /* although there was room */
    CHECK(!rt_writer_ok(&w));
    CHECK_EQ(rt_writer_size(&w), 0);
    CHECK_EQ(data[0], 0);
    CHECK(rt_write_room(&w, 1) == NULL);
}

static void test_span_equality(void)
{
    CHECK(rt_span_equal(rt_span_text("abc"), rt_span_of("abcd", 3)));
    CHECK(!rt_span_equal(rt_span_text("abc"), rt_span_text("abd")));
    CHECK(!rt_span_equal(rt_span_text("abc"), rt_span_text("ab")));
    CHECK(rt_span_equal((rt_span){NULL, 0}, rt_span_text("")));
}

/* RFC 1982 section 3.2, on both sides of the wrap. */
static void test_seq(void)
{
    CHECK(rt_seq16_before(1, 2) && !rt_seq16_before(2, 1) && !rt_seq16_before(5, 5));
    CHECK(rt_seq16_before(0xffff, 0) && !rt_seq16_before(0, 0xffff));
    CHECK(rt_seq16_before(0, 0x7fff) && !rt_seq16_before(0, 0x8001));
    CHECK(rt_seq32_before(0xffffffff, 0) && !rt_seq32_before(0, 0xffffffff));
    CHECK(rt_seq32_before(0xfffffff0, 0x10));
    CHECK(rt_seq32_at_most(7, 7) && rt_seq32_at_most(0xffffffff, 0) && !rt_seq32_at_most(1, 0));
    uint64_t turn16 = 0x10000, turn32 = 0x100000000;
    CHECK_EQ(rt_seq16_unwrap(turn16 + 0xfffe, 3), 2 * turn16 + 3);
    CHECK_EQ(rt_seq16_unwrap(2 * turn16 + 3, 0xfffe), turn16 + 0xfffe);
    CHECK_EQ(rt_seq32_unwrap(turn32 + 0xfffffffe, 3), 2 * turn32 + 3);
    CHECK_EQ(rt_seq32_unwrap(2 * turn32 + 3, 0xfffffffe), turn32 + 0xfffffffe);
    CHECK_EQ(rt_seq32_unwrap(turn32, 0), turn32);
}

static void test_batch(void)
{
    uint8_t memory[300];
    rt_packet packets[3];
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, 3);
    batch.headroom = 13;
    batch.tailroom = 16;
    batch.socket = 2;
    batch.mark = 0xb8;
    CHECK(rt_addr_parse_ip("192.0.2.7", 9, 1234, &batch.to));
    CHECK(rt_batch_reserve(&batch, 300 - 29 + 1) == NULL);
    uint8_t *room = rt_batch_reserve(&batch, 100);
    CHECK(room == memory + 13);
    CHECK(rt_batch_reserve(&batch, 100) == room);
    rt_packet *packet = rt_batch_commit(&batch, 60);
    CHECK(packet->data == room && packet->size == 60 && packet->socket == 2 && packet->mark == 0xb8);
    CHECK(rt_addr_equal(&packet->to, &batch.to));
    room = rt_batch_reserve(&batch, 182);
    CHECK(room == memory + 89 + 13); /* room not used by the first was given back */
    CHECK(rt_batch_reserve(&batch, 183) == NULL);
    rt_batch_commit(&batch, 10);
    CHECK(rt_batch_reserve(&batch, 1) != NULL);
    rt_batch_commit(&batch, 1);
    CHECK(rt_batch_reserve(&batch, 0) == NULL); /* as many packets as there may be */
    CHECK_EQ(batch.count, 3);
    rt_batch_reset(&batch);
    CHECK(rt_batch_reserve(&batch, 100) == memory + 13);
    CHECK_EQ(batch.headroom, 13);
}

static void test_message(void)
{
    rt_message *message = rt_message_new(10);
    CHECK(message && message->size == 0 && message->capacity == 10 && message->next == NULL);
    memcpy(message->data, "0123456789", 10);
    message->size = 10;
    message->stream = 7;
    CHECK(rt_message_grow(message, 5) == message);
    message = rt_message_grow(message, 100000);
    CHECK(message && message->capacity == 100000 && message->size == 10 && message->stream == 7);
    CHECK_BYTES(message->data, "0123456789", 10);
    memset(message->data + 10, 1, 100000 - 10);
    rt_message_free(message);
    rt_message_free(NULL);
}

static void test_status_texts(void)
{
    for (int status = RT_OK; status <= RT_SYSTEM; status++)
        CHECK(strcmp(rt_status_text((rt_status)status), "unknown status") != 0);
    CHECK(strcmp(rt_status_text((rt_status)999), "unknown status") == 0);
}

static void test_time(void)
{
    CHECK_EQ(RT_SECONDS(1), 1000 * RT_MS(1));
    CHECK_EQ(RT_MS(1), 1000 * RT_US(1));
    CHECK_EQ(rt_time_min(-1, RT_NEVER), -1);
    CHECK_EQ(rt_time_max(-1, 3), 3);
    CHECK_EQ(rt_time_after(5, RT_NEVER), RT_NEVER);
    CHECK_EQ(rt_time_after(5, 7), 12);
}

int main(int argc, char **argv)
{
    RUN(test_reader);
    RUN(test_reader_stays_failed);
    RUN(test_writer);
    RUN(test_writer_stays_failed);
    RUN(test_span_equality);
    RUN(test_seq);
    RUN(test_batch);
    RUN(test_message);
    RUN(test_status_texts);
    RUN(test_time);
    CHECK_MAIN_END;
}
