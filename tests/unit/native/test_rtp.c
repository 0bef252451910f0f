#include "check.h"
#include "wire/rtp_batch.h"

/* Packets are parsed from memory of exactly their size, so that the sanitizer sees a read beyond it. */
static rt_status parse_exact(const uint8_t *data, size_t size, rt_rtp *out, uint8_t **memory)
{
    *memory = malloc(size ? size : 1);
    CHECK(*memory);
    if (size)
        memcpy(*memory, data, size);
    return rt_rtp_parse(rt_span_of(*memory, size), out);
}

static const uint8_t PLAIN[] = {0x80, 0xe0, 0x12, 0x34, 0, 0, 0x03, 0xe8, 0xde, 0xad, 0xbe, 0xef, 'a', 'b', 'c'};

static void test_plain_packet(void)
{
    rt_rtp rtp;
    CHECK_EQ(rt_rtp_parse(rt_span_of(PLAIN, sizeof PLAIN), &rtp), RT_OK);
    CHECK(rtp.marker);
    CHECK_EQ(rtp.payload_type, 96);
    CHECK_EQ(rtp.sequence, 0x1234);
    CHECK_EQ(rtp.timestamp, 1000);
    CHECK_EQ(rtp.ssrc, 0xdeadbeef);
    CHECK_EQ(rtp.csrc_count + rtp.padding + rtp.profile, 0);
    CHECK(rt_span_equal(rtp.payload, rt_span_text("abc")) && !rtp.extensions.data);
}

/* CSRCs, an extension block and padding, all at once; then cut at every length. */
static const uint8_t FULL[] = {0xb2, 0x60, 0,    1,    0, 0, 0,    2,    0,   0,   0, 3, /* header, 2 CSRCs */
                               0,    0,    0,    7,    0, 0, 0,    8,                    /* CSRCs */
                               0xbe, 0xde, 0,    2,                                      /* two words */
                               0x10, 0xc1, 0x00, 0x31, 2, 3, 0xff, 0x01, 'p', 'q', 0, 2};

static void test_everything_and_cut(void)
{
    rt_rtp rtp;
    uint8_t *memory;
    CHECK_EQ(parse_exact(FULL, sizeof FULL, &rtp, &memory), RT_OK);
    CHECK_EQ(rtp.csrc_count, 2);
    CHECK_EQ(rt_load32(rtp.csrcs.data + 4), 8);
    CHECK_EQ(rtp.profile, 0xBEDE);
    CHECK_EQ(rtp.extensions.size, 8);
    CHECK_EQ(rtp.padding, 2);
    CHECK(rt_span_equal(rtp.payload, rt_span_text("pq")));
    free(memory);
    for (size_t cut = 0; cut < sizeof FULL; cut++) {
        rt_status status = parse_exact(FULL, cut, &rtp, &memory);
        /* The last byte counts the padding, wherever the cut is. */
        bool padded = cut > 32 && memory[cut - 1] != 0 && memory[cut - 1] <= cut - 32;
        CHECK_EQ(status, padded ? RT_OK : RT_MALFORMED);
        free(memory);
    }
}

static void test_malformed(void)
{
    uint8_t raw[sizeof PLAIN];
    rt_rtp rtp;
    for (unsigned version = 0; version < 4; version++) {
        memcpy(raw, PLAIN, sizeof raw);
        raw[0] = (uint8_t)(version << 6);
        CHECK_EQ(rt_rtp_parse(rt_span_of(raw, sizeof raw), &rtp), version == 2 ? RT_OK : RT_MALFORMED);
    }
    memcpy(raw, PLAIN, sizeof raw);
    raw[0] |= 0x20;
    for (unsigned padding = 0; padding < 256; padding++) {
        raw[sizeof raw - 1] = (uint8_t)padding;
        rt_status status = rt_rtp_parse(rt_span_of(raw, sizeof raw), &rtp);
        CHECK_EQ(status, padding >= 1 && padding <= 3 ? RT_OK : RT_MALFORMED);
    }
    raw[0] = 0x8f; /* fifteen CSRCs that are not there */
    CHECK_EQ(rt_rtp_parse(rt_span_of(raw, sizeof raw), &rtp), RT_MALFORMED);
    raw[0] = 0x90; /* an extension block that is not there */
    CHECK_EQ(rt_rtp_parse(rt_span_of(raw, sizeof raw), &rtp), RT_MALFORMED);
}

/* RFC 8285 section 4.2 has a block of three elements of 1, 2 and 4 bytes with padding between and behind. */
static void test_rfc8285_block_with_padding(void)
{
    const uint8_t block[] = {0x90, 0x60, 0, 1,    0,   0,   0,    2,    0,    0,    0,    3, 0xbe, 0xde, 0, 4,
                             0x20, 0xaa, 0, 0x31, 0x0, 0x5, 0x53, 0xc1, 0xc2, 0xc3, 0xc4, 0, 0,    0,    0, 0};
    rt_rtp rtp;
    CHECK_EQ(rt_rtp_parse(rt_span_of(block, sizeof block), &rtp), RT_OK);
    const struct {
        uint8_t id, first;
        size_t size;
    } want[] = {{2, 0xaa, 1}, {3, 0, 2}, {5, 0xc1, 4}};
    size_t at = 0;
    uint8_t id;
    rt_span value;
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(rt_rtp_next_element(&rtp, &at, &id, &value), RT_OK);
        CHECK_EQ(id, want[i].id);
        CHECK_EQ(value.size, want[i].size);
        CHECK_EQ(value.data[0], want[i].first);
    }
    CHECK_EQ(rt_rtp_next_element(&rtp, &at, &id, &value), RT_NOT_FOUND);
}

static rt_rtp_text text(const char *s)
{
    rt_rtp_text out = {.size = (uint8_t)strlen(s)};
    memcpy(out.data, s, out.size);
    return out;
}

static void check_same(const rt_rtp_values *a, const rt_rtp_values *b)
{
    CHECK_EQ(a->present, b->present);
    CHECK_EQ(a->abs_send_time, b->abs_send_time);
    CHECK_EQ(a->transport_sequence, b->transport_sequence);
    CHECK_EQ(a->audio_level, b->audio_level);
    CHECK_EQ(a->voice, b->voice);
    CHECK_EQ(a->orientation, b->orientation);
    CHECK_EQ(a->playout_min, b->playout_min);
    CHECK_EQ(a->playout_max, b->playout_max);
    CHECK_EQ(a->capture_time, b->capture_time);
    CHECK_EQ(a->capture_offset, b->capture_offset);
    CHECK(a->mid.size == b->mid.size && memcmp(a->mid.data, b->mid.data, a->mid.size) == 0);
    CHECK(a->rid.size == b->rid.size && memcmp(a->rid.data, b->rid.data, a->rid.size) == 0);
    CHECK(a->repaired_rid.size == b->repaired_rid.size &&
          memcmp(a->repaired_rid.data, b->repaired_rid.data, a->repaired_rid.size) == 0);
    CHECK(rt_span_equal(a->dependency_descriptor, b->dependency_descriptor));
}

static rt_rtp_values all_values(void)
{
    return (rt_rtp_values){.present = ((1u << RT_RTP_EXTENSIONS) - 1) | RT_RTP_CAPTURE_OFFSET,
                           .abs_send_time = 0xabcdef,
                           .transport_sequence = 0xfffe,
                           .audio_level = 127,
                           .voice = true,
                           .orientation = 0x0b,
                           .playout_min = 0xffe,
                           .playout_max = 0x801,
                           .mid = text("0"),
                           .rid = text("h"),
                           .repaired_rid = text("0123456789abcdef"),
                           .capture_time = 0x0123456789abcdef,
                           .capture_offset = -5,
                           .dependency_descriptor = rt_span_text("dependency")};
}

/* Writes, checks the size foretold, reads back. */
static void round_trip(const rt_rtp_extension_map *map, const rt_rtp_values *values, uint16_t profile)
{
    const uint8_t csrcs[] = {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3};
    rt_rtp packet = {.marker = true,
                     .payload_type = 111,
                     .csrc_count = 3,
                     .csrcs = rt_span_of(csrcs, sizeof csrcs),
                     .sequence = 65535,
                     .timestamp = 0xffffffff,
                     .ssrc = 0x80000001};
    uint8_t out[512];
    size_t size = rt_rtp_header_size(&packet, map, values);
    rt_writer w = rt_writer_of(rt_buffer_of(out, size - 1));
    CHECK_EQ(rt_rtp_write_header(&w, &packet, map, values), RT_TOO_LARGE);
    CHECK_EQ(rt_writer_size(&w), 0);
    w = rt_writer_of(rt_buffer_of(out, size));
    CHECK_EQ(rt_rtp_write_header(&w, &packet, map, values), RT_OK);
    CHECK_EQ(rt_writer_size(&w), size);
    rt_rtp read;
    rt_rtp_values again;
    CHECK_EQ(rt_rtp_parse(rt_span_of(out, size), &read), RT_OK);
    CHECK(read.marker && read.payload_type == 111 && read.sequence == 65535 && read.timestamp == 0xffffffff);
    CHECK_EQ(read.ssrc, 0x80000001);
    CHECK_EQ(read.profile, profile);
    CHECK(rt_span_equal(read.csrcs, packet.csrcs) && read.payload.size == 0);
    CHECK_EQ(rt_rtp_read_values(&read, map, &again), RT_OK);
    check_same(&again, values);

    /* As it came: the same bytes. */
    uint8_t copy[512];
    w = rt_writer_of(rt_buffer_of(copy, sizeof copy));
    CHECK_EQ(rt_rtp_header_size(&read, NULL, NULL), size);
    CHECK_EQ(rt_rtp_write_header(&w, &read, NULL, NULL), RT_OK);
    CHECK_EQ(rt_writer_size(&w), size);
    CHECK_BYTES(copy, out, size);
}

static void test_values_round_trip(void)
{
    rt_rtp_extension_map map = {0};
    for (int i = 0; i < RT_RTP_EXTENSIONS; i++)
        CHECK_EQ(rt_rtp_extension_map_set(&map, (rt_rtp_extension)i, (uint8_t)(i + 1)), RT_OK);
    rt_rtp_values values = all_values();
    round_trip(&map, &values, 0xBEDE);
    uint8_t bytes[255] = {1};
    values.dependency_descriptor = rt_span_of(bytes, 16);
    round_trip(&map, &values, 0xBEDE);
    values.dependency_descriptor = rt_span_of(bytes, 17); /* too long for the one-byte form */
    round_trip(&map, &values, 0x1000);
    values.dependency_descriptor = rt_span_of(bytes, 255);
    round_trip(&map, &values, 0x1000);
    values.dependency_descriptor = rt_span_of(bytes, 5);
    CHECK_EQ(rt_rtp_extension_map_set(&map, RT_RTP_MID, 200), RT_OK); /* an id beyond the one-byte form */
    round_trip(&map, &values, 0x1000);
    for (int i = 0; i < RT_RTP_EXTENSIONS; i++) { /* each alone */
        rt_rtp_values one = {.present = 1u << i};
        one.mid = one.rid = one.repaired_rid = text("m");
        one.dependency_descriptor = rt_span_of(bytes, 3);
        rt_rtp_values want = {.present = 1u << i};
        if (i == RT_RTP_MID)
            want.mid = one.mid;
        if (i == RT_RTP_RID)
            want.rid = one.rid;
        if (i == RT_RTP_REPAIRED_RID)
            want.repaired_rid = one.repaired_rid;
        if (i == RT_RTP_DEPENDENCY_DESCRIPTOR)
            want.dependency_descriptor = one.dependency_descriptor;
        round_trip(&map, &want, i == RT_RTP_MID ? 0x1000 : 0xBEDE);
    }
}

static void test_map(void)
{
    rt_rtp_extension_map map = {0};
    CHECK_EQ(rt_rtp_extension_map_set(&map, RT_RTP_MID, 0), RT_INVALID);
    CHECK_EQ(rt_rtp_extension_map_set(&map, RT_RTP_MID, 15), RT_INVALID);
    CHECK_EQ(rt_rtp_extension_map_set(&map, RT_RTP_MID, 4), RT_OK);
    CHECK_EQ(rt_rtp_extension_map_set(&map, RT_RTP_MID, 4), RT_OK);
    CHECK_EQ(rt_rtp_extension_map_set(&map, RT_RTP_RID, 4), RT_INVALID);
    CHECK_EQ(rt_rtp_extension_map_set(&map, RT_RTP_MID, 5), RT_OK); /* moves, and leaves its place */
    CHECK_EQ(rt_rtp_extension_map_set(&map, RT_RTP_RID, 4), RT_OK);
    CHECK_EQ(map.kind[4], RT_RTP_RID + 1);
    CHECK_EQ(map.kind[5], RT_RTP_MID + 1);
    CHECK_EQ(map.id[RT_RTP_MID], 5);
    CHECK_EQ(map.kind[0], 0);
}

static void test_uris(void)
{
    for (int i = 0; i < RT_RTP_EXTENSIONS; i++)
        CHECK_EQ(rt_rtp_extension_of(rt_span_text(rt_rtp_extension_uri((rt_rtp_extension)i))), i);
    CHECK_EQ(rt_rtp_extension_of(rt_span_text("urn:ietf:params:rtp-hdrext:sdes:mi")), RT_RTP_EXTENSIONS);
    CHECK_EQ(rt_rtp_extension_of((rt_span){0}), RT_RTP_EXTENSIONS);
}

/* Values of a packet whose block consists of `block`. */
static rt_status read_block(uint16_t profile, const uint8_t *block, size_t size, const rt_rtp_extension_map *map,
                            rt_rtp_values *out)
{
    uint8_t *exact = malloc(size);
    CHECK(exact);
    memcpy(exact, block, size);
    rt_rtp packet = {.profile = profile, .extensions = rt_span_of(exact, size)};
    rt_status status = rt_rtp_read_values(&packet, map, out);
    free(exact);
    return status;
}

static void test_hostile_blocks(void)
{
    rt_rtp_extension_map map = {0};
    rt_rtp_values values;
    rt_rtp_extension_map_set(&map, RT_RTP_AUDIO_LEVEL, 1);
    rt_rtp_extension_map_set(&map, RT_RTP_TRANSPORT_SEQUENCE, 2);
    rt_rtp_extension_map_set(&map, RT_RTP_MID, 3);
    const uint32_t level = 1u << RT_RTP_AUDIO_LEVEL, sequence = 1u << RT_RTP_TRANSPORT_SEQUENCE;

    /* The second element leaves the block: what came before stays. */
    CHECK_EQ(read_block(0xBEDE, (const uint8_t[]){0x10, 0x85, 0x2f, 0}, 4, &map, &values), RT_MALFORMED);
    CHECK_EQ(values.present, level);
    CHECK(values.voice && values.audio_level == 5);
    CHECK_EQ(read_block(0x1000, (const uint8_t[]){1, 1, 7, 2}, 4, &map, &values), RT_MALFORMED);
    CHECK_EQ(values.present, level);
    CHECK_EQ(read_block(0x100f, (const uint8_t[]){1, 1, 7, 2, 3, 0, 0, 0}, 8, &map, &values), RT_OK);
    CHECK_EQ(values.present, level); /* 2 has three bytes: left out */
    /* Ids 15 and 0 with a length end the reading. */
    CHECK_EQ(read_block(0xBEDE, (const uint8_t[]){0xf0, 0, 0x10, 5}, 4, &map, &values), RT_OK);
    CHECK_EQ(values.present, 0);
    CHECK_EQ(read_block(0xBEDE, (const uint8_t[]){0x03, 0, 0x10, 5}, 4, &map, &values), RT_OK);
    CHECK_EQ(values.present, 0);
    /* An unknown id is passed over; a text too long is left out; a block of another profile has no elements. */
    CHECK_EQ(read_block(0xBEDE, (const uint8_t[]){0xc1, 9, 9, 0x21, 1, 2, 0, 0}, 8, &map, &values), RT_OK);
    CHECK_EQ(values.present, sequence);
    uint8_t longer[20] = {3, 17};
    CHECK_EQ(read_block(0x1000, longer, sizeof longer, &map, &values), RT_OK);
    CHECK_EQ(values.present, 0);
    CHECK_EQ(read_block(0x1234, (const uint8_t[]){0x10, 5, 0, 0}, 4, &map, &values), RT_OK);
    CHECK_EQ(values.present, 0);
}

/* Of an extension that comes twice the last good one counts, and nothing of the first shows behind it. */
static void test_extensions_twice(void)
{
    rt_rtp_extension_map map = {0};
    rt_rtp_values values;
    rt_rtp_extension_map_set(&map, RT_RTP_MID, 1);
    rt_rtp_extension_map_set(&map, RT_RTP_DEPENDENCY_DESCRIPTOR, 2);
    const uint8_t block[] = {1, 3, 'a', 'b', 'c', 1, 1, 'x', 2, 2, 7, 8, 2, 0, 1, 0};
    uint8_t packet[12 + 4 + sizeof block] = {0x90, 96, [12] = 0x10, 0, 0, sizeof block / 4};
    memcpy(packet + 16, block, sizeof block);
    rt_rtp rtp;
    rt_rtp_row row;
    const rt_span datagram = rt_span_of(packet, sizeof packet);
    CHECK_EQ(rt_rtp_parse(datagram, &rtp), RT_OK);
    CHECK_EQ(rt_rtp_read_values(&rtp, &map, &values), RT_OK);
    CHECK(values.mid.size == 1 && values.mid.data[0] == 'x');
    CHECK(rt_span_equal(values.dependency_descriptor, rt_span_of("\x07\x08", 2)));
    CHECK_EQ(rt_rtp_read_rows(&datagram, 1, &map, NULL, &row), 1);
    CHECK(strcmp(row.mid, "x") == 0 && row.mid[1] == 0 && row.mid[2] == 0);
}

static void test_find_extension(void)
{
    rt_rtp_extension_map map = {0};
    rt_rtp_extension_map_set(&map, RT_RTP_MID, 1);
    rt_rtp_extension_map_set(&map, RT_RTP_ABS_SEND_TIME, 2);
    rt_rtp_extension_map_set(&map, RT_RTP_TRANSPORT_SEQUENCE, 3);
    rt_rtp packet = {.payload_type = 96};
    rt_rtp_values values = {.present = 1u << RT_RTP_MID | 1u << RT_RTP_TRANSPORT_SEQUENCE, .mid = text("audio")};
    uint8_t out[64], size;
    rt_writer w = rt_writer_of(rt_buffer_of(out, sizeof out));
    CHECK_EQ(rt_rtp_write_header(&w, &packet, &map, &values), RT_OK);
    rt_buffer written = rt_buffer_of(out, rt_writer_size(&w));
    uint8_t *place = rt_rtp_find_extension(written, &map, RT_RTP_TRANSPORT_SEQUENCE, &size);
    CHECK(place && size == 2);
    rt_store16(place, 0x4321);
    CHECK(!rt_rtp_find_extension(written, &map, RT_RTP_ABS_SEND_TIME, &size));
    CHECK(!rt_rtp_find_extension(written, &map, RT_RTP_RID, &size)); /* not negotiated */
    CHECK(!rt_rtp_find_extension(rt_buffer_of(out, 8), &map, RT_RTP_MID, &size));
    rt_rtp read;
    CHECK_EQ(rt_rtp_parse(rt_buffer_span(written), &read), RT_OK);
    CHECK_EQ(rt_rtp_read_values(&read, &map, &values), RT_OK);
    CHECK_EQ(values.transport_sequence, 0x4321);
}

static void test_values_without_ids_make_no_block(void)
{
    rt_rtp_extension_map map = {0};
    rt_rtp packet = {.payload_type = 0};
    rt_rtp_values values = all_values();
    CHECK_EQ(rt_rtp_header_size(&packet, &map, &values), RT_RTP_HEADER);
}

/* RFC 4588 section 4: the original sequence number leads the payload. */
static void test_rtx(void)
{
    rt_rtp packet = {.payload_type = 97, .ssrc = 2, .sequence = 9, .payload = rt_span_of("\x12\x34xyz", 5)};
    CHECK_EQ(rt_rtx_unwrap(&packet, 1, 96), RT_OK);
    CHECK(packet.ssrc == 1 && packet.payload_type == 96 && packet.sequence == 0x1234);
    CHECK(rt_span_equal(packet.payload, rt_span_text("xyz")));
    packet.payload = rt_span_of("\x12\x34", 2); /* padding for probing */
    CHECK_EQ(rt_rtx_unwrap(&packet, 1, 96), RT_OK);
    CHECK_EQ(packet.payload.size, 0);
    packet.payload = rt_span_of("\x12", 1);
    CHECK_EQ(rt_rtx_unwrap(&packet, 1, 96), RT_MALFORMED);
}

static void test_rtp_or_rtcp(void)
{
    for (unsigned second = 0; second < 256; second++) {
        uint8_t raw[2] = {0x80, (uint8_t)second};
        CHECK_EQ(rt_is_rtcp(rt_span_of(raw, 2)), second >= 192 && second <= 223);
    }
    CHECK(!rt_is_rtcp(rt_span_of("\x80", 1)));
}

static void test_ntp(void)
{
    CHECK_EQ(rt_ntp_from_ns(0), 0);
    CHECK_EQ(rt_ntp_from_ns(UINT64_C(1500000000)), UINT64_C(0x180000000));
    CHECK_EQ(rt_ntp_to_ns(UINT64_C(0x180000000)), 1500000000);
    CHECK_EQ(rt_ntp_middle(UINT64_C(0x0123456789abcdef)), 0x456789ab);
    CHECK_EQ(rt_abs_send_time(UINT64_C(0x0000003f80000000)), 0xfe0000); /* 63.5 s */
    CHECK_EQ(rt_abs_send_time(UINT64_C(0x0000004000000000)), 0);        /* 64 s: once around */
    uint64_t ns = UINT64_C(3900000000) * 1000000000;
    for (int i = 0; i < 100000; i++, ns += 7919)
        CHECK_EQ(rt_ntp_to_ns(rt_ntp_from_ns(ns)), ns);
    CHECK_EQ(rt_ntp_to_ns(rt_ntp_from_ns(999999999)), 999999999);
}

/* The rows of a batch say the same as the packets one by one, whatever is in them. */
static void test_rows(void)
{
    rt_rtp_extension_map map = {0};
    for (int i = 0; i < RT_RTP_EXTENSIONS; i++)
        CHECK_EQ(rt_rtp_extension_map_set(&map, (rt_rtp_extension)i, (uint8_t)(i + 1)), RT_OK);
    rt_rtp packet = {.payload_type = 96, .marker = true, .sequence = 7, .timestamp = 8, .ssrc = 9};
    rt_rtp_values values = all_values();
    uint8_t memory[512];
    memcpy(memory, FULL, sizeof FULL);
    rt_writer w = rt_writer_of(rt_buffer_of(memory + sizeof FULL, sizeof memory - sizeof FULL));
    CHECK_EQ(rt_rtp_write_header(&w, &packet, &map, &values), RT_OK);
    rt_write_span(&w, rt_span_text("payload"));
    size_t header = rt_writer_size(&w) - 7;
    const rt_span packets[] = {rt_span_of(memory, sizeof FULL), rt_span_of(memory, 11),
                               rt_span_of(memory + sizeof FULL, rt_writer_size(&w))};
    rt_rtp_row rows[3];
    memset(rows, 0xee, sizeof rows);
    CHECK_EQ(rt_rtp_read_rows(packets, 3, &map, memory, rows), 2);
    const rt_rtp_row none = {0};
    CHECK_BYTES(&rows[1], &none, sizeof none);
    CHECK(rows[0].valid && rows[0].csrc_count == 2 && rows[0].padding == 2 && rows[0].sequence == 1);
    CHECK(rows[0].payload_offset == 32 && rows[0].payload_size == 2);
    CHECK(rows[2].valid && rows[2].marker && rows[2].payload_type == 96 && rows[2].sequence == 7);
    CHECK(rows[2].timestamp == 8 && rows[2].ssrc == 9 && rows[2].present == values.present);
    CHECK(rows[2].payload_offset == sizeof FULL + header && rows[2].payload_size == 7);
    CHECK(rows[2].audio_level == -127 && rows[2].voice && rows[2].transport_sequence == 0xfffe);
    CHECK(rows[2].abs_send_time == 0xabcdef && rows[2].orientation == 0x0b && rows[2].playout_min == 0xffe);
    CHECK(rows[2].playout_max == 0x801 && rows[2].capture_time == values.capture_time && rows[2].capture_offset == -5);
    CHECK(memcmp(rows[2].mid, "0\0", 2) == 0 && memcmp(rows[2].rid, "h\0", 2) == 0);
    CHECK_BYTES(rows[2].repaired_rid, "0123456789abcdef", 16);
    CHECK(rows[2].descriptor_size == 10 && memcmp(memory + rows[2].descriptor_offset, "dependency", 10) == 0);

    CHECK_EQ(rt_rtp_read_rows(packets, 3, NULL, NULL, rows), 2); /* no map, and each packet for itself */
    CHECK_EQ(rows[2].present, 0);
    CHECK_EQ(rows[2].payload_offset, header);
    memory[27] = 0x3f; /* an extension leaves its block */
    CHECK_EQ(rt_rtp_read_rows(packets, 3, &map, NULL, rows), 1);
    CHECK_BYTES(&rows[0], &none, sizeof none);
}

int main(int argc, char **argv)
{
    RUN(test_plain_packet);
    RUN(test_everything_and_cut);
    RUN(test_malformed);
    RUN(test_rfc8285_block_with_padding);
    RUN(test_values_round_trip);
    RUN(test_map);
    RUN(test_uris);
    RUN(test_rows);
    RUN(test_hostile_blocks);
    RUN(test_extensions_twice);
    RUN(test_find_extension);
    RUN(test_values_without_ids_make_no_block);
    RUN(test_rtx);
    RUN(test_rtp_or_rtcp);
    RUN(test_ntp);
    CHECK_MAIN_END;
}
