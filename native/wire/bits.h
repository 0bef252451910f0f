/* Reading bits, most significant first, as the headers of video codecs are written: fixed widths, Exp-Golomb codes
 * (H.264 section 9.1), and with `escaped` NAL units, in which a 3 behind two zeros is not data (section 7.4.1).
 * As with rt_reader: what is beyond the end reads as zeros and sets `failed`.
 */
#ifndef RT_WIRE_BITS_H
#define RT_WIRE_BITS_H

#include "base/span.h"

typedef struct rt_bits {
    const uint8_t *at, *end;
    uint64_t ahead; /* bytes taken from the span, the unread bits lowest */
    uint32_t left;  /* unread bits in `ahead` */
    uint8_t zeros;  /* zero bytes just before `at` */
    bool escaped, failed;
} rt_bits;

static inline rt_bits rt_bits_of(rt_span span, bool escaped)
{
    return (rt_bits){.at = span.data, .end = span.data + span.size, .escaped = escaped};
}

static inline uint8_t rt_bits_take_byte(rt_bits *b)
{
    if (b->escaped && b->zeros >= 2 && b->at < b->end && *b->at == 3) {
        b->at++;
        b->zeros = 0;
    }
    if (b->at == b->end) {
        b->failed = true;
        return 0;
    }
    uint8_t byte = *b->at++;
    b->zeros = byte ? 0 : (uint8_t)(b->zeros < 2 ? b->zeros + 1 : 2);
    return byte;
}

/* Up to 32 bits. */
static inline uint32_t rt_bits_read(rt_bits *b, uint32_t width)
{
    while (b->left < width) {
        b->ahead = b->ahead << 8 | rt_bits_take_byte(b);
        b->left += 8;
    }
    b->left -= width;
    return (uint32_t)(b->ahead >> b->left & ((UINT64_C(1) << width) - 1));
}

static inline void rt_bits_skip(rt_bits *b, uint32_t width)
{
    for (; width > 32; width -= 32)
        (void)rt_bits_read(b, 32);
    (void)rt_bits_read(b, width);
}

/* ue(v), up to 2^32 - 2; also AV1's uvlc(). */
static inline uint32_t rt_bits_read_ue(rt_bits *b)
{
    uint32_t zeros = 0;
    while (zeros < 32 && !b->failed && !rt_bits_read(b, 1))
        zeros++;
    if (zeros == 32)
        b->failed = true;
    return b->failed ? 0 : (uint32_t)((UINT64_C(1) << zeros) - 1 + rt_bits_read(b, zeros));
}

/* se(v) */
static inline int32_t rt_bits_read_se(rt_bits *b)
{
    uint32_t code = rt_bits_read_ue(b);
    return code & 1 ? (int32_t)(code / 2 + 1) : -(int32_t)(code / 2);
}

#endif
