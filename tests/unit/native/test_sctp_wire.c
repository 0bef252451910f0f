/* Chunks and parameters of native/wire/sctp.h: layouts by RFC section, padding, lengths that do not fit. */
#include "check.h"
#include "wire/sctp.h"

static uint8_t memory[2048];

static rt_writer writer(void)
{
    memset(memory, 0xee, sizeof memory);
    return rt_writer_of(rt_buffer_of(memory, sizeof memory));
}

static rt_span written(const rt_writer *w)
{
    CHECK(rt_writer_ok(w));
    return rt_span_of(w->start, rt_writer_size(w));
}

/* RFC 9260 section 3.1: CRC32c in the header, least significant byte first. */
static void header_carries_a_checksum(void)
{
    rt_writer w = writer();
    rt_sctp_write_header(&w, 5000, 5001, 0x01020304);
    rt_sctp_write_chunk(&w, RT_SCTP_COOKIE_ACK, 0, rt_span_of(NULL, 0));
    CHECK_EQ(rt_writer_size(&w), 16);
    CHECK(!rt_sctp_checksum_ok(written(&w)));
    rt_sctp_seal(rt_buffer_of(memory, 16));
    CHECK(rt_sctp_checksum_ok(rt_span_of(memory, 16)));
    /* Appending the CRC register in this order makes the residue of the whole packet constant; what counts
     * here: any flipped bit is seen. */
    for (int bit = 0; bit < 128; bit++) {
        memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!rt_sctp_checksum_ok(rt_span_of(memory, 16)));
        memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    rt_reader r = rt_reader_of(rt_span_of(memory, 16));
    rt_sctp_header header;
    CHECK(rt_sctp_read_header(&r, &header));
    CHECK_EQ(header.source_port, 5000);
    CHECK_EQ(header.destination_port, 5001);
    CHECK_EQ(header.tag, 0x01020304);
    r = rt_reader_of(rt_span_of(memory, 15));
    CHECK(!rt_sctp_read_header(&r, &header));
}

/* RFC 9260 appendix A: the packet of an INIT as tshark and usrsctp compute it. */
static void checksum_is_crc32c_of_the_packet(void)
{
    static const uint8_t text[] = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                  "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    memcpy(memory, text, 32);
    rt_sctp_seal(rt_buffer_of(memory, 32));
    static const uint8_t expected[] = {0xaa, 0x36, 0x91, 0x8a}; /* RFC 3720 B.4: 32 bytes of zeros */
    CHECK_BYTES(memory + 8, expected, 4);
}

/* RFC 9260 section 3.3.1, RFC 8260 section 2.1. */
static void data_round_trip(void)
{
    static const uint8_t plain[] = {0, 3, 0, 19, 0, 0, 0, 9, 0, 7, 0, 5, 0, 0, 0, 51, 'a', 'b', 'c', 0};
    rt_sctp_data data = {.tsn = 9, .stream = 7, .mid = 5, .protocol = 51, .payload = rt_span_text("abc")};
    data.flags = RT_SCTP_FLAG_BEGIN | RT_SCTP_FLAG_END;
    rt_writer w = writer();
    rt_sctp_write_data(&w, &data);
    CHECK(rt_span_equal(written(&w), rt_span_of(plain, sizeof plain)));

    for (int first = 0; first < 2; first++) {
        data.interleaved = true;
        data.mid = 0x10002;
        data.fsn = first ? 0 : 4;
        data.flags = first ? RT_SCTP_FLAG_BEGIN : RT_SCTP_FLAG_END | RT_SCTP_FLAG_UNORDERED;
        w = writer();
        rt_sctp_write_data(&w, &data);
        rt_reader r = rt_reader_of(written(&w));
        rt_sctp_chunk chunk;
        rt_sctp_data out;
        CHECK(rt_sctp_next_chunk(&r, &chunk));
        CHECK_EQ(chunk.type, RT_SCTP_I_DATA);
        CHECK(rt_sctp_parse_data(&chunk, &out));
        CHECK(out.interleaved);
        CHECK_EQ(out.mid, 0x10002);
        CHECK_EQ(out.fsn, data.fsn);
        CHECK_EQ(out.protocol, first ? 51 : 0);
        CHECK_EQ(out.flags, data.flags);
        CHECK(rt_span_equal(out.payload, data.payload));
        CHECK(!rt_sctp_next_chunk(&r, &chunk) && rt_reader_ok(&r));
        chunk = (rt_sctp_chunk){RT_SCTP_I_DATA, 0, {memory + 4, 16}};
        CHECK(!rt_sctp_parse_data(&chunk, &out)); /* no user data */
    }
}

/* RFC 9260 section 3.3.4. */
static void sack_round_trip(void)
{
    rt_sctp_gap gaps[] = {{2, 3}, {5, 9}};
    uint32_t duplicates[] = {77, 78, 0xffffffff};
    rt_writer w = writer();
    rt_sctp_write_sack(&w, 100, 5000, gaps, 2, duplicates, 3);
    CHECK_EQ(rt_writer_size(&w), RT_SCTP_SACK_SIZE + 2 * 4 + 3 * 4);
    rt_reader r = rt_reader_of(written(&w));
    rt_sctp_chunk chunk;
    rt_sctp_sack sack;
    CHECK(rt_sctp_next_chunk(&r, &chunk) && rt_sctp_parse_sack(&chunk, &sack));
    CHECK_EQ(sack.cumulative_tsn, 100);
    CHECK_EQ(sack.window, 5000);
    CHECK_EQ(sack.gap_count, 2);
    CHECK_EQ(rt_sctp_sack_gap(&sack, 1).start, 5);
    CHECK_EQ(rt_sctp_sack_gap(&sack, 1).end, 9);
    CHECK_EQ(sack.duplicate_count, 3);
    CHECK_EQ(rt_sctp_sack_duplicate(&sack, 2), 0xffffffff);
    chunk.value.size -= 4; /* counts beyond the chunk */
    CHECK(!rt_sctp_parse_sack(&chunk, &sack));
}

/* RFC 3758 section 3.2, RFC 8260 section 2.3.1. */
static void forward_round_trip(void)
{
    rt_sctp_skip skips[] = {{.stream = 1, .mid = 65535}, {.stream = 9, .unordered = true, .mid = 3}};
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        rt_writer w = writer();
        rt_sctp_write_forward(&w, interleaved, 42, skips, 2);
        rt_reader r = rt_reader_of(written(&w));
        rt_sctp_chunk chunk;
        rt_sctp_forward forward;
        CHECK(rt_sctp_next_chunk(&r, &chunk) && rt_sctp_parse_forward(&chunk, &forward));
        CHECK_EQ(forward.cumulative_tsn, 42);
        CHECK_EQ(forward.count, 2);
        CHECK_EQ(rt_sctp_forward_skip(&forward, 0).mid, 65535);
        CHECK_EQ(rt_sctp_forward_skip(&forward, 1).stream, 9);
        CHECK_EQ(rt_sctp_forward_skip(&forward, 1).unordered, interleaved);
        chunk.value.size -= 2;
        CHECK(!rt_sctp_parse_forward(&chunk, &forward));
    }
}

/* RFC 9260 section 3.2: inner padding counts, the last one does not. */
static void parameters_pad_between(void)
{
    rt_writer w = writer();
    uint8_t *chunk_start = rt_sctp_open_chunk(&w, RT_SCTP_INIT, 0);
    rt_sctp_init init = {.tag = 1, .window = 2, .streams_out = 3, .streams_in = 4, .tsn = 5};
    rt_sctp_write_init(&w, &init);
    rt_sctp_write_param(&w, RT_SCTP_PARAM_EXTENSIONS, rt_span_of("\x82", 1));
    rt_sctp_write_param(&w, RT_SCTP_PARAM_EXTENSIONS, rt_span_of("\xc0\x40", 2));
    rt_sctp_close_chunk(&w, chunk_start);
    CHECK_EQ(rt_load16(memory + 2), 4 + 16 + 8 + 6);
    CHECK_EQ(rt_writer_size(&w), 36);
    rt_reader r = rt_reader_of(written(&w));
    rt_sctp_chunk chunk;
    rt_sctp_param param;
    CHECK(rt_sctp_next_chunk(&r, &chunk) && rt_sctp_parse_init(&chunk, &init));
    CHECK_EQ(init.tsn, 5);
    r = rt_reader_of(init.params);
    CHECK(rt_sctp_next_param(&r, &param) && param.value.size == 1);
    CHECK(rt_sctp_next_param(&r, &param) && param.value.size == 2 && param.value.data[1] == 0x40);
    CHECK(!rt_sctp_next_param(&r, &param) && rt_reader_ok(&r));
}

/* RFC 6525 section 4. */
static void reset_parameters(void)
{
    rt_writer w = writer();
    uint8_t *param_start = rt_sctp_open_param(&w, RT_SCTP_PARAM_RESET_OUT);
    rt_write32(&w, 10);
    rt_write32(&w, 11);
    rt_write32(&w, 12);
    rt_write16(&w, 99);
    rt_sctp_close_param(&w, param_start);
    rt_sctp_write_response(&w, 10, RT_SCTP_RESULT_PERFORMED);
    rt_reader r = rt_reader_of(written(&w));
    rt_sctp_param param;
    rt_sctp_reset reset;
    uint32_t response, result;
    CHECK(rt_sctp_next_param(&r, &param) && rt_sctp_parse_reset(&param, &reset));
    CHECK_EQ(reset.request, 10);
    CHECK_EQ(reset.response, 11);
    CHECK_EQ(reset.last_tsn, 12);
    CHECK_EQ(reset.streams.size, 2);
    CHECK(rt_sctp_next_param(&r, &param) && rt_sctp_parse_response(&param, &response, &result));
    CHECK_EQ(response, 10);
    CHECK_EQ(result, 1);
    param.value.size = 7;
    CHECK(!rt_sctp_parse_response(&param, &response, &result));
}

static void bad_lengths_stop_the_reader(void)
{
    static const uint8_t cases[][8] = {
        {0, 0, 0, 3, 0, 0, 0, 0}, /* shorter than its header */
        {0, 0, 0, 9, 0, 0, 0, 0}, /* longer than the packet */
        {0, 0, 0xff, 0xff, 0, 0}, /* much longer */
    };
    for (size_t i = 0; i < 3; i++) {
        rt_reader r = rt_reader_of(rt_span_of(cases[i], 8));
        rt_sctp_chunk chunk;
        CHECK(!rt_sctp_next_chunk(&r, &chunk));
        CHECK(!rt_reader_ok(&r));
        rt_sctp_param param;
        r = rt_reader_of(rt_span_of(cases[i], 8));
        CHECK(!rt_sctp_next_param(&r, &param));
        CHECK(!rt_reader_ok(&r));
    }
    /* Padding that is missing at the end is forgiven. */
    static const uint8_t unpadded[] = {10, 0, 0, 5, 1};
    rt_reader r = rt_reader_of(rt_span_of(unpadded, 5));
    rt_sctp_chunk chunk;
    CHECK(rt_sctp_next_chunk(&r, &chunk) && chunk.value.size == 1);
}

int main(int argc, char **argv)
{
    RUN(header_carries_a_checksum);
    RUN(checksum_is_crc32c_of_the_packet);
    RUN(data_round_trip);
    RUN(sack_round_trip);
    RUN(forward_round_trip);
    RUN(parameters_pad_between);
    RUN(reset_parameters);
    RUN(bad_lengths_stop_the_reader);
    CHECK_MAIN_END;
}
