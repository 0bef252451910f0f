/* H.265 (RFC 7798), without decoding order numbers (sprop-max-don-diff is 0 in WebRTC).
 *
 *    0                   1
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |F|   type    |  layer id |  TID  |   TID: temporal layer + 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * As in H.264 there is no sign of a frame's start. No picture is told to be discardable: the type says only that
 * none of the same temporal layer needs it.
 */
#include "wire/payload_nal.h"

enum { /* table 7-1 of H.265 */
       IRAP_FIRST = 16,
       IRAP_LAST = 23,
       SLICE_LAST = 31,
       VPS = 32,
       SPS = 33,
       DELIMITER = 35,
       PREFIX_SEI = 39,
       LARGEST = 47,
       AGGREGATE = 48,
       FRAGMENT = 49,
       FORBIDDEN = 0x80,
};

/* The lowest layers of all (RFC 7798 section 4.4.2). */
static void merge(uint8_t *header, const uint8_t *nal)
{
    const uint16_t layer_mask = 0x01F8, temporal_mask = 0x0007;
    uint16_t both = rt_load16(header), one = rt_load16(nal);
    uint16_t layer = (one & layer_mask) < (both & layer_mask) ? one & layer_mask : both & layer_mask;
    uint16_t temporal = (one & temporal_mask) < (both & temporal_mask) ? one & temporal_mask : both & temporal_mask;
    rt_store16(header, (uint16_t)((both & ~(layer_mask | temporal_mask)) | layer | temporal));
    header[0] |= nal[0] & FORBIDDEN;
}

static const rt_nal_rules rules = {2, 0x7E, 1, 0, LARGEST, AGGREGATE, FRAGMENT, merge};

static bool is_key(const uint8_t *header)
{
    uint8_t type = rt_nal_type(&rules, header);
    return (type >= IRAP_FIRST && type <= IRAP_LAST) || type == VPS || type == SPS;
}

/* H.265 section 7.3.3: 88 bits of profile and 8 of level, then those that the sub-layers have. */
static void skip_profile(rt_bits *b, uint32_t sublayers)
{
    rt_bits_skip(b, 96);
    uint32_t present = sublayers ? rt_bits_read(b, 16) : 0; /* two bits for each of eight */
    for (uint32_t i = 0; i < sublayers; i++, present <<= 2)
        rt_bits_skip(b, (present & 0x8000 ? 88 : 0) + (present & 0x4000 ? 8 : 0));
}

/* Section 7.3.2.2 as far as the size of the picture. */
static void read_size(rt_span sps, uint16_t *width, uint16_t *height)
{
    rt_bits b = rt_bits_of(sps, true);
    rt_bits_skip(&b, 4);
    uint32_t sublayers = rt_bits_read(&b, 3);
    rt_bits_skip(&b, 1);
    skip_profile(&b, sublayers);
    (void)rt_bits_read_ue(&b); /* id */
    uint32_t chroma = rt_bits_read_ue(&b);
    if (chroma == 3)
        rt_bits_skip(&b, 1);
    uint64_t across = rt_bits_read_ue(&b), down = rt_bits_read_ue(&b);
    rt_nal_read_size(&b, across, down, chroma, 1, width, height);
}

static rt_status inspect(const rt_payload_format *format, rt_span payload, rt_payload_info *out)
{
    (void)format;
    rt_nal_reader reader;
    rt_nal nal;
    if (rt_nal_read(&rules, payload, &reader) != RT_OK)
        return RT_MALFORMED;
    for (bool first = true; rt_nal_next(&reader, &nal); first = false) {
        uint8_t temporal = nal.header[1] & 7;
        if (nal.type <= SLICE_LAST && temporal > 0)
            out->temporal = temporal - 1;
        out->key |= is_key(nal.header);
        if (first && nal.begins)
            out->starts_frame = (nal.type >= VPS && nal.type <= DELIMITER) || nal.type == PREFIX_SEI ||
                                /* first_slice_segment_in_pic_flag */
                                (nal.type <= SLICE_LAST && nal.body.size > 0 && nal.body.data[0] & 0x80);
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
    (void)packetizer;
    return rt_nal_packetize(&rules, false, is_key, frame, data, max_payload, out);
}

const rt_payload_ops rt_payload_h265 = {inspect, assemble, packetize};
