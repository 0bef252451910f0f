#include "check.h"
#include "wire/rtcp.h"

#include "base/random.h"

static uint8_t memory[300000];

static rt_writer begin(void)
{
    return rt_writer_of(rt_buffer_of(memory, sizeof memory));
}

/* What the writer holds, of which every packet ends on a word. */
static rt_span written(const rt_writer *w)
{
    CHECK(rt_writer_ok(w));
    CHECK_EQ(rt_writer_size(w) % 4, 0);
    return rt_span_of(memory, rt_writer_size(w));
}

/* The only packet of a datagram. */
static rt_rtcp only(rt_span datagram, uint8_t type, uint8_t count)
{
    rt_reader r = rt_reader_of(datagram);
    rt_rtcp packet, none;
    rt_status status;
    CHECK(rt_rtcp_next(&r, &packet, &status));
    CHECK_EQ(status, RT_OK);
    CHECK_EQ(packet.type, type);
    CHECK_EQ(packet.count, count);
    CHECK(!rt_rtcp_next(&r, &none, &status));
    CHECK_EQ(status, RT_OK);
    return packet;
}

static rt_rtcp_feedback feedback_of(rt_span datagram, uint8_t type, uint8_t format)
{
    rt_rtcp packet = only(datagram, type, format);
    rt_rtcp_feedback feedback;
    CHECK_EQ(rt_rtcp_feedback_read(&packet, &feedback), RT_OK);
    return feedback;
}

static void test_framing(void)
{
    const uint8_t two[] = {0x81, 201, 0, 1, 0, 0, 0, 1, 0xa0, 204, 0, 2, 9, 9, 9, 9, 0, 0, 0, 4};
    rt_reader r = rt_reader_of(rt_span_of(two, sizeof two));
    rt_rtcp packet;
    rt_status status;
    CHECK(rt_rtcp_next(&r, &packet, &status));
    CHECK(packet.type == 201 && packet.count == 1 && packet.body.size == 4);
    CHECK(rt_rtcp_next(&r, &packet, &status));
    CHECK(packet.type == 204 && packet.count == 0 && packet.body.size == 4); /* without the padding */
    CHECK(!rt_rtcp_next(&r, &packet, &status) && status == RT_OK);

    for (size_t cut = 1; cut < sizeof two; cut++) {
        r = rt_reader_of(rt_span_of(two, cut));
        while (rt_rtcp_next(&r, &packet, &status))
            ;
        CHECK_EQ(status, cut == 8 ? RT_OK : RT_MALFORMED);
    }
    const uint8_t bad[][8] = {{0x41, 201, 0, 1}, {0xa0, 201, 0, 1, 0, 0, 0, 0}, {0xa0, 201, 0, 1, 0, 0, 0, 5}};
    for (size_t i = 0; i < sizeof bad / 8; i++) { /* version, padding of 0, padding of too much */
        r = rt_reader_of(rt_span_of(bad[i], 8));
        CHECK(!rt_rtcp_next(&r, &packet, &status) && status == RT_MALFORMED);
    }
    r = rt_reader_of((rt_span){0});
    CHECK(!rt_rtcp_next(&r, &packet, &status) && status == RT_OK);
}

static void test_reports(void)
{
    rt_rtcp_block blocks[31];
    for (int i = 0; i < 31; i++)
        blocks[i] = (rt_rtcp_block){.ssrc = 0xffffff00u + (uint32_t)i,
                                    .fraction_lost = (uint8_t)(8 * i),
                                    .lost = i % 2 ? -i : i,
                                    .highest = 0x10000u * (uint32_t)i,
                                    .jitter = 7,
                                    .last_sr = 0x80000000,
                                    .delay = 65536};
    blocks[0].lost = -0x800000;
    blocks[2].lost = 0x7fffff;
    for (int sender = 0; sender < 2; sender++) {
        for (uint8_t count = 0; count < 32; count++) {
            rt_rtcp_report report = {.ssrc = 0xdeadbeef, .sender = sender, .blocks = count};
            if (sender) {
                report.ntp = UINT64_C(0xfedcba9876543210);
                report.rtp_time = 0xffffffff, report.packets = 3, report.bytes = 4;
            }
            rt_writer w = begin();
            rt_rtcp_write_report(&w, &report, blocks);
            rt_rtcp packet = only(written(&w), sender ? RT_RTCP_SR : RT_RTCP_RR, count);
            rt_rtcp_report again;
            CHECK_EQ(rt_rtcp_report_read(&packet, &again), RT_OK);
            CHECK(again.ssrc == report.ssrc && again.sender == report.sender && again.ntp == report.ntp);
            CHECK(again.rtp_time == report.rtp_time && again.packets == report.packets && again.bytes == report.bytes);
            CHECK_EQ(again.blocks, count);
            for (uint8_t i = 0; i < count; i++) {
                rt_rtcp_block block;
                rt_rtcp_report_block(&again, i, &block);
                CHECK(block.ssrc == blocks[i].ssrc && block.fraction_lost == blocks[i].fraction_lost);
                CHECK_EQ(block.lost, blocks[i].lost);
                CHECK(block.highest == blocks[i].highest && block.jitter == 7 && block.delay == 65536);
                CHECK_EQ(block.last_sr, 0x80000000);
            }
            packet.body.size--;
            CHECK_EQ(rt_rtcp_report_read(&packet, &again), RT_MALFORMED);
        }
    }
}

/* The count of lost packets does not wrap around (RFC 3550 appendix A.3). */
static void test_lost_stays_at_its_bounds(void)
{
    const int32_t beyond[2] = {0x800000, -0x800001}, want[2] = {0x7fffff, -0x800000};
    for (int i = 0; i < 2; i++) {
        rt_rtcp_report report = {.blocks = 1};
        rt_rtcp_block block = {.lost = beyond[i]};
        rt_writer w = begin();
        rt_rtcp_write_report(&w, &report, &block);
        rt_rtcp packet = only(written(&w), RT_RTCP_RR, 1);
        CHECK_EQ(rt_rtcp_report_read(&packet, &report), RT_OK);
        rt_rtcp_report_block(&report, 0, &block);
        CHECK_EQ(block.lost, want[i]);
    }
}

static void test_sdes(void)
{
    char text[256];
    memset(text, 'x', sizeof text);
    for (size_t size = 0; size < 256; size++) { /* every alignment, every length */
        const rt_rtcp_item items[] = {{1, RT_SDES_CNAME, {(uint8_t *)text, size}},
                                      {1, RT_SDES_MID, rt_span_text("0")},
                                      {2, RT_SDES_CNAME, rt_span_text("user@host")},
                                      {3, RT_SDES_RID, {(uint8_t *)text, 255 - size}}};
        rt_writer w = begin();
        rt_rtcp_write_sdes(&w, items, 4);
        rt_rtcp packet = only(written(&w), RT_RTCP_SDES, 3);
        uint64_t at = 0;
        rt_rtcp_item item;
        rt_status status;
        for (int i = 0; i < 4; i++) {
            CHECK(rt_rtcp_sdes_next(&packet, &at, &item, &status));
            CHECK(item.ssrc == items[i].ssrc && item.type == items[i].type);
            CHECK(rt_span_equal(item.text, items[i].text));
        }
        CHECK(!rt_rtcp_sdes_next(&packet, &at, &item, &status) && status == RT_OK);
        for (size_t cut = packet.body.size - 1; cut > packet.body.size - 4; cut -= 1) { /* less zeros, or none */
            rt_rtcp less = {.type = RT_RTCP_SDES, .count = 4, .body = rt_span_of(packet.body.data, cut)};
            at = 0;
            while (rt_rtcp_sdes_next(&less, &at, &item, &status))
                ;
            CHECK_EQ(status, RT_MALFORMED);
        }
    }
    /* Chunks without items are passed over. */
    const uint8_t empty[] = {0x82, 202, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 'a', 0};
    rt_rtcp packet = only(rt_span_of(empty, sizeof empty), RT_RTCP_SDES, 2);
    uint64_t at = 0;
    rt_rtcp_item item;
    rt_status status;
    CHECK(rt_rtcp_sdes_next(&packet, &at, &item, &status) && item.ssrc == 2 && item.text.size == 1);
    CHECK(!rt_rtcp_sdes_next(&packet, &at, &item, &status) && status == RT_OK);
}

static void test_bye(void)
{
    uint32_t sources[31];
    for (uint32_t i = 0; i < 31; i++)
        sources[i] = i;
    for (uint8_t count = 0; count < 32; count++) {
        rt_writer w = begin();
        rt_rtcp_write_bye(&w, sources, count, count % 2 ? rt_span_text("camera off") : (rt_span){0});
        rt_rtcp packet = only(written(&w), RT_RTCP_BYE, count);
        rt_span read, reason;
        CHECK_EQ(rt_rtcp_bye_read(&packet, &read, &reason), RT_OK);
        CHECK_EQ(read.size, 4 * count);
        if (count)
            CHECK_EQ(rt_load32(read.data + 4 * (count - 1)), count - 1);
        CHECK(rt_span_equal(reason, count % 2 ? rt_span_text("camera off") : (rt_span){0}));
    }
    const uint8_t beyond[] = {0x81, 203, 0, 2, 0, 0, 0, 1, 4, 'a', 'b', 'c'};
    rt_rtcp packet = only(rt_span_of(beyond, sizeof beyond), RT_RTCP_BYE, 1);
    rt_span read, reason;
    CHECK_EQ(rt_rtcp_bye_read(&packet, &read, &reason), RT_MALFORMED);
    packet.count = 3;
    CHECK_EQ(rt_rtcp_bye_read(&packet, &read, &reason), RT_MALFORMED);
}

static void test_app_and_any(void)
{
    rt_rtcp_app app = {.ssrc = 5, .name = {'t', 'e', 's', 't'}, .data = rt_span_text("12345678")}, again;
    rt_writer w = begin();
    rt_rtcp_write_app(&w, 31, &app);
    rt_rtcp packet = only(written(&w), RT_RTCP_APP, 31);
    CHECK_EQ(rt_rtcp_app_read(&packet, &again), RT_OK);
    CHECK(again.ssrc == 5 && memcmp(again.name, "test", 4) == 0 && rt_span_equal(again.data, app.data));
    packet.body.size = 4;
    CHECK_EQ(rt_rtcp_app_read(&packet, &again), RT_MALFORMED);
    w = begin();
    rt_rtcp_write(&w, 212, 3, rt_span_text("body"));
    packet = only(written(&w), 212, 3);
    CHECK(rt_span_equal(packet.body, rt_span_text("body")));

    /* What does not end on a word is padded, and read without its padding (as Chromium's feedback is). */
    for (size_t size = 0; size < 5; size++) {
        w = begin();
        rt_rtcp_write(&w, 212, 0, rt_span_of("abcd", size < 4 ? size : 4));
        CHECK_EQ(rt_writer_size(&w), size ? 8 : 4);
        packet = only(written(&w), 212, 0);
        CHECK(rt_span_equal(packet.body, rt_span_of("abcd", size < 4 ? size : 4)));
        app.data = rt_span_of("abcd", size < 4 ? size : 4);
        w = begin();
        rt_rtcp_write_app(&w, 0, &app);
        packet = only(written(&w), RT_RTCP_APP, 0);
        CHECK_EQ(rt_rtcp_app_read(&packet, &again), RT_OK);
        CHECK(rt_span_equal(again.data, app.data));
    }
}

static void test_nack(void)
{
    const uint16_t lost[] = {65530, 65531, 65534, 10, 11, 26, 27, 28, 500};
    const size_t count = sizeof lost / sizeof *lost;
    rt_writer w = begin();
    CHECK_EQ(rt_rtcp_write_nack(&w, 1, 2, lost, count), count);
    rt_rtcp_feedback feedback = feedback_of(written(&w), RT_RTCP_RTPFB, RT_RTPFB_NACK);
    CHECK(feedback.sender == 1 && feedback.media == 2);
    CHECK_EQ(feedback.fci.size, 4 * 4); /* 65530 with 10 beyond it, 16 apart; 11 with 27; 28; 500 */
    uint16_t read[16];
    CHECK_EQ(rt_rtcp_nack_read(&feedback, read, 16), count);
    CHECK_BYTES(read, lost, sizeof lost);
    CHECK_EQ(rt_rtcp_nack_read(&feedback, read, 3), count); /* all are counted, three are written */
    CHECK_EQ(rt_rtcp_nack_read(&feedback, NULL, 0), count);

    for (size_t room = 0; room < 40; room++) { /* what fits is taken, and the writer is still good */
        w = rt_writer_of(rt_buffer_of(memory, room));
        size_t taken = rt_rtcp_write_nack(&w, 1, 2, lost, count);
        CHECK(rt_writer_ok(&w) && (taken > 0) == (room >= 16));
        if (taken == 0)
            continue;
        feedback = feedback_of(written(&w), RT_RTCP_RTPFB, RT_RTPFB_NACK);
        CHECK_EQ(rt_rtcp_nack_read(&feedback, read, 16), taken);
        CHECK_BYTES(read, lost, 2 * taken);
    }
}

static void test_pli_fir_remb(void)
{
    rt_writer w = begin();
    rt_rtcp_write_pli(&w, 1, 2);
    rt_rtcp_feedback feedback = feedback_of(written(&w), RT_RTCP_PSFB, RT_PSFB_PLI);
    CHECK(feedback.sender == 1 && feedback.media == 2 && feedback.fci.size == 0);

    const rt_rtcp_fir fir[2] = {{7, 255}, {8, 0}};
    rt_rtcp_fir entry;
    w = begin();
    rt_rtcp_write_fir(&w, 1, fir, 0);
    CHECK_EQ(rt_writer_size(&w), 0);
    rt_rtcp_write_fir(&w, 1, fir, 2);
    feedback = feedback_of(written(&w), RT_RTCP_PSFB, RT_PSFB_FIR);
    CHECK_EQ(rt_rtcp_fir_count(&feedback), 2);
    for (size_t i = 0; i < 2; i++) {
        rt_rtcp_fir_read(&feedback, i, &entry);
        CHECK(entry.ssrc == fir[i].ssrc && entry.sequence == fir[i].sequence);
    }

    const uint32_t sources[2] = {3, 4};
    const uint64_t rates[] = {0, 1, 0x3ffff, 0x40000, 0x7ffff, 2500000, UINT64_MAX};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        rt_rtcp_remb remb;
        w = begin();
        rt_rtcp_write_remb(&w, 1, rates[i], sources, 2);
        feedback = feedback_of(written(&w), RT_RTCP_PSFB, RT_PSFB_AFB);
        CHECK_EQ(feedback.media, 0);
        CHECK_EQ(rt_rtcp_remb_read(&feedback, &remb), RT_OK);
        CHECK(remb.bitrate <= rates[i] && rates[i] - remb.bitrate <= rates[i] >> 17);
        CHECK(remb.count == 2 && rt_load32(remb.sources.data + 4) == 4);
    }
}

/* The exponent has 6 bits, the mantissa 18: more than 64 bits together. */
static void test_remb_limits(void)
{
    uint8_t fci[] = {'R', 'E', 'M', 'B', 1, 63 << 2, 0, 1, 0, 0, 0, 9};
    rt_rtcp_feedback feedback = {.fci = rt_span_of(fci, sizeof fci)};
    rt_rtcp_remb remb;
    CHECK_EQ(rt_rtcp_remb_read(&feedback, &remb), RT_OK);
    CHECK(remb.bitrate == UINT64_C(1) << 63 && rt_load32(remb.sources.data) == 9);
    fci[7] = 2; /* beyond 64 bits */
    CHECK_EQ(rt_rtcp_remb_read(&feedback, &remb), RT_MALFORMED);
    fci[7] = 1;
    fci[4] = 2; /* an SSRC that is not there */
    CHECK_EQ(rt_rtcp_remb_read(&feedback, &remb), RT_MALFORMED);
    fci[0] = 'X';
    CHECK_EQ(rt_rtcp_remb_read(&feedback, &remb), RT_UNSUPPORTED);
    feedback.fci.size = 3;
    CHECK_EQ(rt_rtcp_remb_read(&feedback, &remb), RT_UNSUPPORTED);
}

/* Chunks of the three kinds, put together by hand. */
static void test_twcc_chunks(void)
{
    const uint8_t raw[] = {0x8f, 205,  0,    8,    0,    0,    0,    1, 0, 0, 0, 2, /* sender, media */
                           0xff, 0xfe, 0,    12,   0xff, 0xff, 0xfe, 9,             /* base, count, reference, no. */
                           0x20, 3,    0xa4, 0,    0xd2, 0,                         /* run of 3; 0100.. ; 01 00 10 .. */
                           1,    2,    3,    0xff, 0xff, 0x10, 0,    0, 0, 0};
    uint8_t fixed[sizeof raw];
    memcpy(fixed, raw, sizeof raw);
    fixed[15] = 3 + 14 + 3; /* three of the run, a whole vector of 14, and three of the last */
    rt_rtcp_feedback feedback = feedback_of(rt_span_of(fixed, sizeof fixed), RT_RTCP_RTPFB, RT_RTPFB_TWCC);
    rt_rtcp_twcc twcc;
    rt_twcc_packet packets[20];
    CHECK_EQ(rt_rtcp_twcc_read(&feedback, &twcc), RT_OK);
    CHECK(twcc.base == 65534 && twcc.count == 20 && twcc.reference == -2 && twcc.feedback == 9);
    CHECK_EQ(rt_rtcp_twcc_packets(&twcc, packets), RT_OK);
    const int received[20] = {[0] = 1, [1] = 1, [2] = 1, [3] = 1, [6] = 1, [17] = 1, [19] = 1};
    const int delta[20] = {[0] = 1, [1] = 2, [2] = 3, [3] = 0xff, [6] = 0xff, [17] = 0x10, [19] = 0};
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(packets[i].sequence, (uint16_t)(65534 + i));
        CHECK_EQ(packets[i].received, received[i]);
        if (packets[i].received)
            CHECK_EQ(packets[i].delta, delta[i]);
    }
    twcc.body.size = 6 + 7; /* one byte of a large delta is missing */
    CHECK_EQ(rt_rtcp_twcc_packets(&twcc, packets), RT_MALFORMED);
    twcc.body.size = 5; /* half a chunk */
    CHECK_EQ(rt_rtcp_twcc_packets(&twcc, packets), RT_MALFORMED);
    feedback.fci.size = 7; /* shorter than its head */
    CHECK_EQ(rt_rtcp_twcc_read(&feedback, &twcc), RT_MALFORMED);
    fixed[15] = 0; /* tells of no packets */
    feedback.fci.size = 8;
    CHECK_EQ(rt_rtcp_twcc_read(&feedback, &twcc), RT_MALFORMED);
    const uint8_t reserved[] = {0x60, 5, 0, 0, 0, 0, 0, 0}, nothing[] = {0x20, 0, 0x20, 0, 0x20, 5, 0, 0};
    twcc = (rt_rtcp_twcc){.count = 5, .body = rt_span_of(reserved, sizeof reserved)};
    CHECK_EQ(rt_rtcp_twcc_packets(&twcc, packets), RT_MALFORMED);
    twcc.body = rt_span_of(nothing, sizeof nothing); /* runs of nothing */
    CHECK_EQ(rt_rtcp_twcc_packets(&twcc, packets), RT_MALFORMED);
}

static void check_twcc(rt_span datagram, const rt_twcc_packet *packets, size_t taken)
{
    static rt_twcc_packet read[65536];
    rt_rtcp_feedback feedback = feedback_of(datagram, RT_RTCP_RTPFB, RT_RTPFB_TWCC);
    rt_rtcp_twcc twcc;
    CHECK(feedback.sender == 1 && feedback.media == 2);
    CHECK_EQ(rt_rtcp_twcc_read(&feedback, &twcc), RT_OK);
    CHECK(twcc.count == taken && twcc.base == packets[0].sequence && twcc.reference == -77 && twcc.feedback == 200);
    CHECK_EQ(rt_rtcp_twcc_packets(&twcc, read), RT_OK);
    for (size_t i = 0; i < taken; i++) {
        CHECK_EQ(read[i].sequence, packets[i].sequence);
        CHECK_EQ(read[i].received, packets[i].received);
        if (read[i].received)
            CHECK_EQ(read[i].delta, packets[i].delta);
    }
}

/* Random patterns of every density, into rooms of every size. */
static void test_twcc_round_trip(void)
{
    static rt_twcc_packet packets[3000];
    rt_random random;
    rt_random_init_number(&random, 20);
    for (int round = 0; round < 400; round++) {
        uint32_t loss = rt_random_below(&random, 101), large = rt_random_below(&random, 101);
        uint32_t sticky = 1 + rt_random_below(&random, 40);
        size_t count = 1 + rt_random_below(&random, round % 10 ? 100 : 3000);
        uint16_t base = (uint16_t)rt_random32(&random);
        for (size_t i = 0; i < count; i++) {
            packets[i] = (rt_twcc_packet){.sequence = (uint16_t)(base + i)};
            bool again = i > 0 && rt_random_below(&random, sticky);
            packets[i].received = i == 0 || (again ? packets[i - 1].received : rt_random_below(&random, 100) >= loss);
            if (packets[i].received)
                packets[i].delta = rt_random_below(&random, 100) < large ? (int16_t)rt_random32(&random)
                                                                         : (int32_t)rt_random_below(&random, 256);
        }
        rt_writer w = begin();
        CHECK_EQ(rt_rtcp_write_twcc(&w, 1, 2, -77, 200, packets, count), count);
        size_t size = rt_writer_size(&w);
        check_twcc(written(&w), packets, count);
        size_t room = rt_random_below(&random, (uint32_t)size + 8);
        w = rt_writer_of(rt_buffer_of(memory, room));
        size_t taken = rt_rtcp_write_twcc(&w, 1, 2, -77, 200, packets, count);
        CHECK(rt_writer_ok(&w) && (taken == count) == (room >= size));
        if (taken)
            check_twcc(written(&w), packets, taken);
    }
}

static void test_twcc_sizes(void)
{
    static rt_twcc_packet packets[65536];
    for (size_t i = 0; i < 65536; i++)
        packets[i] = (rt_twcc_packet){.sequence = (uint16_t)i, .received = true, .delta = 1};
    rt_writer w = begin();
    CHECK_EQ(rt_rtcp_write_twcc(&w, 1, 2, -77, 200, packets, 100), 100);
    CHECK_EQ(rt_writer_size(&w), 20 + 104); /* one run, and a byte each */
    w = begin();
    CHECK_EQ(rt_rtcp_write_twcc(&w, 1, 2, -77, 200, packets, 65536), 65535); /* what the count can say */
    check_twcc(written(&w), packets, 65535);
    packets[50].delta = 40000; /* the caller begins anew here */
    w = begin();
    CHECK_EQ(rt_rtcp_write_twcc(&w, 1, 2, -77, 200, packets, 100), 50);
    check_twcc(written(&w), packets, 50);
    w = begin();
    CHECK_EQ(rt_rtcp_write_twcc(&w, 1, 2, -77, 200, packets + 50, 50), 0);
    CHECK_EQ(rt_rtcp_write_twcc(&w, 1, 2, -77, 200, packets, 0), 0);
    CHECK_EQ(rt_writer_size(&w), 0);
}

static size_t read_ccfb(rt_span datagram, uint32_t timestamp, const rt_ccfb_packet *want)
{
    rt_rtcp_feedback feedback = feedback_of(datagram, RT_RTCP_RTPFB, RT_RTPFB_CCFB);
    uint32_t told;
    CHECK_EQ(rt_rtcp_ccfb_timestamp(&feedback, &told), RT_OK);
    CHECK_EQ(told, timestamp);
    uint64_t at = 0;
    rt_ccfb_packet packet;
    rt_status status;
    size_t n = 0;
    for (; rt_rtcp_ccfb_next(&feedback, &at, &packet, &status); n++) {
        CHECK(packet.ssrc == want[n].ssrc && packet.sequence == want[n].sequence);
        CHECK(packet.received == want[n].received && packet.ecn == want[n].ecn && packet.offset == want[n].offset);
    }
    CHECK_EQ(status, RT_OK);
    return n;
}

static void test_ccfb(void)
{
    static rt_ccfb_packet packets[20000];
    size_t count = 0;
    for (uint32_t ssrc = 1; ssrc < 40; ssrc++) { /* streams of one, two, three ... packets, over the turn */
        for (uint32_t i = 0; i < ssrc; i++) {
            bool received = i % 3 != 1;
            packets[count++] = (rt_ccfb_packet){.ssrc = ssrc,
                                                .sequence = (uint16_t)(65530 + i + (i > 5 ? 9 : 0)), /* and a gap */
                                                .received = received,
                                                .ecn = received ? i & 3 : 0,
                                                .offset = received ? (uint16_t)(0x1fff - i) : 0};
        }
    }
    rt_writer w = begin();
    CHECK_EQ(rt_rtcp_write_ccfb(&w, 1, packets, count, 0xabcdef01), count);
    size_t size = rt_writer_size(&w);
    CHECK_EQ(read_ccfb(written(&w), 0xabcdef01, packets), count);
    for (size_t room = 0; room <= size; room++) {
        w = rt_writer_of(rt_buffer_of(memory, room));
        size_t taken = rt_rtcp_write_ccfb(&w, 1, packets, count, 5);
        CHECK(rt_writer_ok(&w) && (taken == count) == (room == size) && (taken > 0) == (room >= 24));
        if (taken)
            CHECK_EQ(read_ccfb(written(&w), 5, packets), taken);
    }
    for (size_t i = 0; i < 20000; i++)
        packets[i] = (rt_ccfb_packet){.ssrc = 9, .sequence = (uint16_t)i};
    w = begin();
    CHECK_EQ(rt_rtcp_write_ccfb(&w, 1, packets, 20000, 0), 20000); /* two blocks: 16,384 is the most of one */
    CHECK_EQ(rt_writer_size(&w), 12 + 2 * 8 + 40000);
    CHECK_EQ(read_ccfb(written(&w), 0, packets), 20000);
}

static void test_ccfb_without_streams_and_malformed(void)
{
    const uint8_t empty[] = {0x8b, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7};
    CHECK_EQ(read_ccfb(rt_span_of(empty, sizeof empty), 7, NULL), 0);
    uint8_t raw[] = {0x8b, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 5, 0, 1, 0x80, 9, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4};
    rt_rtcp_feedback feedback = feedback_of(rt_span_of(raw, sizeof raw), RT_RTCP_RTPFB, RT_RTPFB_CCFB);
    rt_ccfb_packet packet;
    rt_status status;
    uint64_t at = 0;
    CHECK(rt_rtcp_ccfb_next(&feedback, &at, &packet, &status)); /* then an SSRC without its counts */
    CHECK(!rt_rtcp_ccfb_next(&feedback, &at, &packet, &status) && status == RT_MALFORMED);
    raw[15] = 200; /* more packets than there are */
    at = 0;
    CHECK(!rt_rtcp_ccfb_next(&feedback, &at, &packet, &status) && status == RT_MALFORMED);
}

static void test_xr(void)
{
    const rt_xr_dlrr entries[2] = {{1, 2, 3}, {0xffffffff, 0x80000000, 65536}};
    rt_writer w = begin();
    rt_rtcp_write_rrtr(&w, 9, UINT64_C(0x0123456789abcdef));
    rt_rtcp packet = only(written(&w), RT_RTCP_XR, 0);
    CHECK_EQ(rt_load32(packet.body.data), 9);
    size_t at = 0;
    rt_xr_block block;
    rt_status status;
    CHECK(rt_rtcp_xr_next(&packet, &at, &block, &status));
    CHECK(block.type == RT_XR_RRTR && block.ntp == UINT64_C(0x0123456789abcdef));
    CHECK(!rt_rtcp_xr_next(&packet, &at, &block, &status) && status == RT_OK);

    w = begin();
    rt_rtcp_write_dlrr(&w, 9, entries, 2);
    packet = only(written(&w), RT_RTCP_XR, 0);
    at = 0;
    CHECK(rt_rtcp_xr_next(&packet, &at, &block, &status));
    CHECK(block.type == RT_XR_DLRR && block.dlrr_count == 2);
    for (size_t i = 0; i < 2; i++) {
        rt_xr_dlrr entry;
        rt_rtcp_xr_dlrr(&block, i, &entry);
        CHECK(entry.ssrc == entries[i].ssrc && entry.last_rr == entries[i].last_rr && entry.delay == entries[i].delay);
    }

    /* An unknown block is told, and passed over; an RRTR of another length, or a block beyond the packet, is not. */
    const uint8_t raw[] = {0, 0, 0, 9, 7, 0x5a, 0, 1, 1, 2, 3, 4, 4, 0, 0, 1, 0, 0, 0, 0};
    packet = (rt_rtcp){.type = RT_RTCP_XR, .body = rt_span_of(raw, sizeof raw)};
    at = 0;
    CHECK(rt_rtcp_xr_next(&packet, &at, &block, &status));
    CHECK(block.type == 7 && block.specific == 0x5a && block.body.size == 4);
    CHECK(!rt_rtcp_xr_next(&packet, &at, &block, &status) && status == RT_MALFORMED);
    for (size_t cut = 0; cut < 12; cut++) {
        packet.body.size = cut;
        at = 0;
        CHECK(!rt_rtcp_xr_next(&packet, &at, &block, &status));
        CHECK_EQ(status, cut == 4 ? RT_OK : RT_MALFORMED);
    }
}

/* A packet that does not fit leaves nothing behind and the mark that it failed. */
static void test_full_writers(void)
{
    const uint32_t sources[2] = {1, 2};
    const rt_rtcp_fir fir = {1, 2};
    const rt_xr_dlrr dlrr = {1, 2, 3};
    const rt_rtcp_report report = {.sender = true};
    for (int kind = 0; kind < 8; kind++) {
        for (size_t room = 0;; room++) {
            rt_writer w = rt_writer_of(rt_buffer_of(memory, room));
            switch (kind) {
            case 0: rt_rtcp_write_report(&w, &report, NULL); break;
            case 1: rt_rtcp_write_cname(&w, 1, rt_span_text("name")); break;
            case 2: rt_rtcp_write_bye(&w, sources, 2, rt_span_text("reason")); break;
            case 3: rt_rtcp_write_pli(&w, 1, 2); break;
            case 4: rt_rtcp_write_fir(&w, 1, &fir, 1); break;
            case 5: rt_rtcp_write_remb(&w, 1, 100, sources, 2); break;
            case 6: rt_rtcp_write_rrtr(&w, 1, 2); break;
            default: rt_rtcp_write_dlrr(&w, 1, &dlrr, 1);
            }
            if (rt_writer_ok(&w)) {
                CHECK_EQ(rt_writer_size(&w), room);
                break;
            }
            CHECK_EQ(rt_writer_size(&w), 0);
        }
    }
}

int main(int argc, char **argv)
{
    RUN(test_framing);
    RUN(test_reports);
    RUN(test_lost_stays_at_its_bounds);
    RUN(test_sdes);
    RUN(test_bye);
    RUN(test_app_and_any);
    RUN(test_nack);
    RUN(test_pli_fir_remb);
    RUN(test_remb_limits);
    RUN(test_twcc_chunks);
    RUN(test_twcc_round_trip);
    RUN(test_twcc_sizes);
    RUN(test_ccfb);
    RUN(test_ccfb_without_streams_and_malformed);
    RUN(test_xr);
    RUN(test_full_writers);
    CHECK_MAIN_END;
}
