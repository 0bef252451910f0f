/* Any bytes: the parser stays inside them; what it accepts can be written again, as it came and from its values, and
 * reads the same; a row of a batch says the same. */
#include "expect.h"
#include "wire/rtp_batch.h"

static void same_values(const rt_rtp_values *a, const rt_rtp_values *b)
{
    expect(a->present == b->present);
    expect(a->abs_send_time == b->abs_send_time && a->transport_sequence == b->transport_sequence);
    expect(a->audio_level == b->audio_level && a->voice == b->voice && a->orientation == b->orientation);
    expect(a->playout_min == b->playout_min && a->playout_max == b->playout_max);
    expect(a->capture_time == b->capture_time);
    expect(!(a->present & RT_RTP_CAPTURE_OFFSET) || a->capture_offset == b->capture_offset);
    expect(a->mid.size == b->mid.size && memcmp(a->mid.data, b->mid.data, a->mid.size) == 0);
    expect(a->rid.size == b->rid.size && memcmp(a->rid.data, b->rid.data, a->rid.size) == 0);
    expect(a->repaired_rid.size == b->repaired_rid.size);
    if (RT_RTP_HAS(a, RT_RTP_DEPENDENCY_DESCRIPTOR))
        expect(rt_span_equal(a->dependency_descriptor, b->dependency_descriptor));
}

static void same_header(const rt_rtp *a, const rt_rtp *b)
{
    expect(a->marker == b->marker && a->payload_type == b->payload_type && a->sequence == b->sequence);
    expect(a->timestamp == b->timestamp && a->ssrc == b->ssrc && rt_span_equal(a->csrcs, b->csrcs));
}

/* As it came: the same bytes up to the payload. */
static void rewrite(rt_span datagram, const rt_rtp *rtp)
{
    uint8_t out[12 + 60 + 4 + 4 * 0xFFFF];
    size_t size = (size_t)(rtp->payload.data - datagram.data);
    rt_writer w = rt_writer_of(rt_buffer_of(out, sizeof out));
    expect(rt_rtp_header_size(rtp, NULL, NULL) == size);
    expect(rt_rtp_write_header(&w, rtp, NULL, NULL) == RT_OK);
    expect(rt_span_equal(rt_span_of(out, rt_writer_size(&w)), rt_span_of(datagram.data, size)));
}

/* From its values, with the ids of one map, then those of another: as a forwarder does. */
static void rebuild(const rt_rtp *rtp, const rt_rtp_values *values, const rt_rtp_extension_map *map)
{
    uint8_t out[2048];
    rt_rtp plain = *rtp, read;
    plain.padding = 0;
    rt_rtp_values again;
    size_t size = rt_rtp_header_size(&plain, map, values);
    rt_writer w = rt_writer_of(rt_buffer_of(out, size));
    expect(size <= sizeof out && rt_rtp_write_header(&w, &plain, map, values) == RT_OK && rt_writer_size(&w) == size);
    expect(rt_rtp_parse(rt_span_of(out, size), &read) == RT_OK && read.payload.size == 0);
    same_header(&read, rtp);
    expect(rt_rtp_read_values(&read, map, &again) == RT_OK);
    same_values(values, &again);
    for (int i = 0; i < RT_RTP_EXTENSIONS; i++) {
        uint8_t length;
        uint8_t *place = rt_rtp_find_extension(rt_buffer_of(out, size), map, (rt_rtp_extension)i, &length);
        expect((place != NULL) == RT_RTP_HAS(values, i));
        expect(!place || (place > out && place + length <= out + size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_span datagram = rt_span_of(data, size);
    rt_rtp_extension_map map = {0}, other = {0};
    for (int i = 0; i < RT_RTP_EXTENSIONS; i++) {
        expect(rt_rtp_extension_map_set(&map, (rt_rtp_extension)i, (uint8_t)(i + 1)) == RT_OK);
        expect(rt_rtp_extension_map_set(&other, (rt_rtp_extension)i, (uint8_t)(200 - i)) == RT_OK);
    }
    rt_rtp rtp;
    rt_rtp_row row;
    size_t valid = rt_rtp_read_rows(&datagram, 1, &map, NULL, &row);
    (void)rt_is_rtcp(datagram);
    if (rt_rtp_parse(datagram, &rtp) != RT_OK) {
        expect(valid == 0);
        return 0;
    }
    rewrite(datagram, &rtp);
    rt_rtp_values values;
    rt_status status = rt_rtp_read_values(&rtp, &map, &values);
    expect((status == RT_OK) == (valid == 1));
    expect(!valid || (row.present == values.present && row.payload_size == rtp.payload.size));
    expect(!valid || (row.payload_offset + row.payload_size + row.padding == size));
    rebuild(&rtp, &values, &map);
    rebuild(&rtp, &values, &other);

    size_t at = 0, elements = 0;
    uint8_t id;
    rt_span value;
    while (rt_rtp_next_element(&rtp, &at, &id, &value) == RT_OK)
        elements++;
    expect(elements <= rtp.extensions.size);
    if (rt_rtx_unwrap(&rtp, 1, 2) == RT_OK)
        expect(rtp.ssrc == 1 && rtp.payload_type == 2);
    return 0;
}
