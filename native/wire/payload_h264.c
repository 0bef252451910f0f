/* H.264 (RFC 6184), packetization modes 0 (single NAL units) and 1 (with STAP-A and FU-A).
 *
 *    0 1 2 3 4 5 6 7
 *   +-+-+-+-+-+-+-+-+
 *   |F|NRI|  type   |   NRI: 0 where no other picture needs this one
 *   +-+-+-+-+-+-+-+-+
 *
 * There is no sign of a frame's start: one can be where a NAL unit is that stands before all slices, or the slice
 * with the first macroblock.
 */
#include "wire/payload_nal.h"

enum { /* table 7-1 of H.264 */
       SLICE = 1,
       IDR = 5,
       SEI = 6,
       SPS = 7,
       DELIMITER = 9,
       LARGEST = 23,
       STAP_A = 24,
       FU_A = 28,
       NRI = 0x60,
       FORBIDDEN = 0x80,
};

static void merge(uint8_t *header, const uint8_t *nal)
{
    if ((nal[0] & NRI) > (header[0] & NRI))
        header[0] = (uint8_t)((header[0] & ~NRI) | (nal[0] & NRI));
    header[0] |= nal[0] & FORBIDDEN;
}

static const rt_nal_rules rules = {1, 0x1F, 0, SLICE, LARGEST, STAP_A, FU_A, merge};

static bool is_key(const uint8_t *header)
{
    uint8_t type = rt_nal_type(&rules, header);
    return type == IDR || type == SPS;
}

static bool is_slice(uint8_t type)
{
    return type >= SLICE && type <= IDR;
}

static void skip_scaling_list(rt_bits *b, uint32_t size)
{
    int32_t last = 8, next = 8;
    for (uint32_t i = 0; i < size && !b->failed; i++) {
        if (next != 0)
            next = (int32_t)((uint32_t)(last + (rt_bits_read_se(b) & 0xFF)) & 0xFF);
        last = next == 0 ? last : next;
    }
}

/* The fields that only the high profiles have; returns chroma_format_idc. */
static uint32_t read_high_profile(rt_bits *b)
{
    uint32_t chroma = rt_bits_read_ue(b);
    if (chroma == 3)
        rt_bits_skip(b, 1); /* separate_colour_plane_flag */
    (void)rt_bits_read_ue(b);
    (void)rt_bits_read_ue(b); /* bit depths */
    rt_bits_skip(b, 1);
    if (rt_bits_read(b, 1))
        for (uint32_t i = 0; i < (chroma == 3 ? 12 : 8); i++)
            if (rt_bits_read(b, 1))
                skip_scaling_list(b, i < 6 ? 16 : 64);
    return chroma;
}

static void skip_picture_order(rt_bits *b)
{
    uint32_t type = rt_bits_read_ue(b);
    if (type == 0)
        (void)rt_bits_read_ue(b);
    if (type != 1)
        return;
    rt_bits_skip(b, 1);
    (void)rt_bits_read_se(b);
    (void)rt_bits_read_se(b);
    for (uint32_t i = rt_bits_read_ue(b); i > 0 && !b->failed; i--)
        (void)rt_bits_read_se(b);
}

/* H.264 section 7.3.2.1.1 as far as the size of the picture. */
static void read_size(rt_span sps, uint16_t *width, uint16_t *height)
{
    rt_bits b = rt_bits_of(sps, true);
    uint32_t profile = rt_bits_read(&b, 8);
    rt_bits_skip(&b, 16);
    (void)rt_bits_read_ue(&b); /* id */
    bool high = profile == 100 || profile == 110 || profile == 122 || profile == 244 || profile == 44 ||
                profile == 83 || profile == 86 || profile == 118 || profile == 128;
    uint32_t chroma = high ? read_high_profile(&b) : 1;
    (void)rt_bits_read_ue(&b); /* log2_max_frame_num */
    skip_picture_order(&b);
    (void)rt_bits_read_ue(&b); /* max_num_ref_frames */
    rt_bits_skip(&b, 1);
    uint64_t across = UINT64_C(16) * ((uint64_t)rt_bits_read_ue(&b) + 1);
    uint64_t down = UINT64_C(16) * ((uint64_t)rt_bits_read_ue(&b) + 1);
    uint32_t fields = rt_bits_read(&b, 1) ? 1 : 2; /* frame_mbs_only_flag */
    rt_bits_skip(&b, fields == 2 ? 2 : 1);
    down *= fields;
    rt_nal_read_size(&b, across, down, chroma, fields, width, height);
}

static rt_status inspect(const rt_payload_format *format, rt_span payload, rt_payload_info *out)
{
    (void)format;
    rt_nal_reader reader;
    rt_nal nal;
    if (rt_nal_read(&rules, payload, &reader) != RT_OK)
        return RT_MALFORMED;
    for (bool first = true; rt_nal_next(&reader, &nal); first = false) {
        if (is_slice(nal.type) && !(nal.header[0] & NRI))
            out->discardable = true;
        out->key |= is_key(nal.header);
        if (first && nal.begins)
            out->starts_frame = (nal.type >= SEI && nal.type <= DELIMITER) ||
                                /* first_mb_in_slice is 0 */
                                (is_slice(nal.type) && nal.body.size > 0 && nal.body.data[0] & 0x80);
        if (nal.type == SPS && nal.begins && nal.ends)
            read_size(nal.body, &out->width, &out->height);
    }
    return rt_reader_ok(&reader.bytes) ? RT_OK : RT_MALFORMED;
}

static rt_status assemble(const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **frame)
{
    return rt_nal_assemble(&rules, inspect, format, payloads, count, frame);
}

static rt_status packetize(rt_packetizer *packetizer, const rt_frame *frame, rt_span data, size_t max_payload,
                           rt_payloads **out)
{
    bool single = packetizer->format.h264_mode == 0;
    return rt_nal_packetize(&rules, single, is_key, frame, data, max_payload, out);
}

const rt_payload_ops rt_payload_h264 = {inspect, assemble, packetize};
