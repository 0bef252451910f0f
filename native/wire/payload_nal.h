/* What H.264 (RFC 6184) and H.265 (RFC 7798) have in common: NAL units, sent whole, together in one payload, or
 * in fragments. They differ in the size of the header and in the numbers of the types.
 *
 *   whole:      | header | body |
 *   together:   | header, type "aggregate" | size (16) | NAL unit | size (16) | NAL unit | ...
 *   fragment:   | header, type "fragment" | S E type | piece of the body |
 */
#ifndef RT_WIRE_PAYLOAD_NAL_H
#define RT_WIRE_PAYLOAD_NAL_H

#include "wire/bits.h"
#include "wire/payload_internal.h"

typedef struct rt_nal_rules {
    uint8_t header;              /* bytes of a NAL unit's header */
    uint8_t mask, shift;         /* of the type in the first of them */
    uint8_t smallest, largest;   /* types that NAL units have */
    uint8_t aggregate, fragment; /* types that only payloads have */
    /* Of an aggregate with a NAL unit in it: makes of `header`, at first the first NAL unit's, that of both. */
    void (*merge)(uint8_t *header, const uint8_t *nal);
} rt_nal_rules;

static inline uint8_t rt_nal_type(const rt_nal_rules *rules, const uint8_t *header)
{
    return (uint8_t)((header[0] & rules->mask) >> rules->shift);
}

/* A NAL unit or a fragment of one, as it stands in a payload. */
typedef struct rt_nal {
    uint8_t header[2]; /* of the NAL unit, also where this is a fragment */
    uint8_t type;
    bool begins, ends; /* both: it is whole */
    rt_span body;      /* what is behind the header */
} rt_nal;

typedef struct rt_nal_reader {
    const rt_nal_rules *rules;
    rt_reader bytes;
    bool together;
} rt_nal_reader;

/* RT_MALFORMED when the payload is too short for its form, or of a form that we do not have. */
rt_status rt_nal_read(const rt_nal_rules *rules, rt_span payload, rt_nal_reader *out);
/* The next one; false at the end. An aggregate that is cut off, or has an empty NAL unit, sets `failed` of `bytes`. */
bool rt_nal_next(rt_nal_reader *reader, rt_nal *out);

/* The access unit in Annex B form, each NAL unit behind a start code of four bytes. `inspect` of the format tells what
 * the frame is. */
rt_status rt_nal_assemble(const rt_nal_rules *rules,
                          rt_status (*inspect)(const rt_payload_format *, rt_span, rt_payload_info *),
                          const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **frame);

/* An access unit in Annex B form into payloads. `single`: each NAL unit in a payload of its own (H.264 mode 0).
 * `key`: whether a NAL unit of that header makes it a key frame. */
rt_status rt_nal_packetize(const rt_nal_rules *rules, bool single, bool (*key)(const uint8_t *header),
                           const rt_frame *frame, rt_span data, size_t max_payload, rt_payloads **out);

/* The end of what a sequence parameter set tells of the picture's size: whether a window is cut out of across * down
 * luma samples, and which (H.264 section 7.4.2.1.1: cropping; H.265 section 7.4.3.2.1: conformance window). `chroma`:
 * chroma_format_idc, its samples are the window's units; `fields`: lines of those that one of a field stands for.
 * Leaves width and height as they are where the set is malformed, or the picture too large for them. */
void rt_nal_read_size(rt_bits *b, uint64_t across, uint64_t down, uint32_t chroma, uint32_t fields, uint16_t *width,
                      uint16_t *height);

/* The next NAL unit behind a start code, without zeros at its end; false when there is none any more, or something
 * else than zeros comes first. */
bool rt_annexb_next(rt_span *rest, rt_span *nal);

#endif
