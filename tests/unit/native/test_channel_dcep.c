/* wire/dcep: RFC 8832 section 5. */
#include "check.h"
#include "wire/dcep.h"

/* An OPEN as a browser sends it: unordered, three retransmissions, label "chat", protocol "p". */
static const uint8_t sample[] = {0x03, 0x81, 0x01, 0x00, 0, 0, 0, 3, 0, 4, 0, 1, 'c', 'h', 'a', 't', 'p'};

static void test_read_open(void)
{
    rt_dcep_open open;
    CHECK_EQ(rt_dcep_read_open(rt_span_of(sample, sizeof sample), &open), RT_OK);
    CHECK_EQ(open.reliability, RT_DCEP_RETRANSMITS);
    CHECK(open.unordered);
    CHECK_EQ(open.priority, 256);
    CHECK_EQ(open.parameter, 3);
    CHECK(rt_span_equal(open.label, rt_span_text("chat")));
    CHECK(rt_span_equal(open.protocol, rt_span_text("p")));
}

static void test_write_open(void)
{
    rt_dcep_open open = {
        .reliability = RT_DCEP_RETRANSMITS,
        .unordered = true,
        .priority = 256,
        .parameter = 3,
        .label = rt_span_text("chat"),
        .protocol = rt_span_text("p"),
    };
    uint8_t memory[64];
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    CHECK_EQ(rt_dcep_write_open(&writer, &open), RT_OK);
    CHECK_EQ(rt_writer_size(&writer), sizeof sample);
    CHECK_EQ(rt_dcep_open_size(&open), sizeof sample);
    CHECK_BYTES(memory, sample, sizeof sample);

    rt_writer small = rt_writer_of(rt_buffer_of(memory, sizeof sample - 1));
    CHECK_EQ(rt_dcep_write_open(&small, &open), RT_TOO_LARGE);
    open.label.size = 65536;
    rt_writer again = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    CHECK_EQ(rt_dcep_write_open(&again, &open), RT_INVALID);
}

static void test_every_type_round_trips(void)
{
    static uint8_t memory[RT_DCEP_OPEN_HEADER + 2 * 65535];
    static uint8_t text[65535];
    memset(text, 0xc3, sizeof text);
    for (int reliability = RT_DCEP_RELIABLE; reliability <= RT_DCEP_LIFETIME; reliability++) {
        for (int unordered = 0; unordered < 2; unordered++) {
            rt_dcep_open open = {
                .reliability = (rt_dcep_reliability)reliability,
                .unordered = unordered != 0,
                .priority = 65535,
                .parameter = UINT32_MAX,
                .label = rt_span_of(text, sizeof text),
                .protocol = rt_span_of(text, sizeof text),
            };
            rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
            CHECK_EQ(rt_dcep_write_open(&writer, &open), RT_OK);
            rt_dcep_open back;
            CHECK_EQ(rt_dcep_read_open(rt_span_of(memory, rt_writer_size(&writer)), &back), RT_OK);
            CHECK_EQ(back.reliability, open.reliability);
            CHECK_EQ(back.unordered, open.unordered);
            CHECK_EQ(back.priority, 65535);
            CHECK_EQ(back.parameter, reliability ? UINT32_MAX : 0);
            CHECK(rt_span_equal(back.label, open.label));
            CHECK(rt_span_equal(back.protocol, open.protocol));
        }
    }
}

static void test_bad_open(void)
{
    rt_dcep_open open;
    for (size_t size = 0; size < sizeof sample; size++)
        CHECK_EQ(rt_dcep_read_open(rt_span_of(sample, size), &open), RT_MALFORMED);
    uint8_t longer[sizeof sample + 1] = {0};
    memcpy(longer, sample, sizeof sample);
    CHECK_EQ(rt_dcep_read_open(rt_span_of(longer, sizeof longer), &open), RT_MALFORMED);

    static const uint8_t types[] = {0x03, 0x83, 0x7f, 0xff};
    for (size_t i = 0; i < sizeof types; i++) {
        uint8_t bad[sizeof sample];
        memcpy(bad, sample, sizeof sample);
        bad[1] = types[i];
        CHECK_EQ(rt_dcep_read_open(rt_span_of(bad, sizeof bad), &open), RT_UNSUPPORTED);
    }
}

static void test_ack(void)
{
    CHECK_EQ(rt_dcep_read_ack(rt_span_of("\x02", 1)), RT_OK);
    CHECK_EQ(rt_dcep_read_ack(rt_span_of("\x02\x00", 2)), RT_MALFORMED);
    CHECK_EQ(rt_dcep_read_ack(rt_span_of("\x03", 1)), RT_MALFORMED);
    CHECK_EQ(rt_dcep_read_ack(rt_span_of("", 0)), RT_MALFORMED);
    CHECK_EQ(rt_dcep_type_of(rt_span_of("", 0)), 0);
    CHECK_EQ(rt_dcep_type_of(rt_span_of("\x02", 1)), RT_DCEP_ACK);
}

int main(int argc, char **argv)
{
    RUN(test_read_open);
    RUN(test_write_open);
    RUN(test_every_type_round_trips);
    RUN(test_bad_open);
    RUN(test_ack);
    CHECK_MAIN_END;
}
