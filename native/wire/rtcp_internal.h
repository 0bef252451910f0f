/* What the files of rtcp share: the room for a packet. */
#ifndef RT_WIRE_RTCP_INTERNAL_H
#define RT_WIRE_RTCP_INTERNAL_H

#include "wire/rtcp.h"

#define RT_RTCP_HEADER 4
#define RT_RTCP_COUNT_MAX 31
#define RT_RTCP_SIZE_MAX (4 * ((size_t)0xFFFF + 1)) /* what the length field can say */
#define RT_RTCP_FEEDBACK 12                         /* header and the two SSRCs of feedback */

/* Room for a packet of `size` bytes, a multiple of 4, with its first word written; NULL, and `failed`, if it does
 * not fit. */
static inline uint8_t *rt_rtcp_room(rt_writer *out, uint8_t type, uint8_t count, size_t size)
{
    if (size > RT_RTCP_SIZE_MAX) {
        out->failed = true;
        return NULL;
    }
    uint8_t *p = rt_write_room(out, size);
    if (!p)
        return NULL;
    p[0] = (uint8_t)(0x80 | (count & 31));
    p[1] = type;
    rt_store16(p + 2, (uint16_t)(size / 4 - 1));
    return p;
}

/* The same for any size, with padding up to a word. */
static inline uint8_t *rt_rtcp_padded_room(rt_writer *out, uint8_t type, uint8_t count, size_t size)
{
    size_t padding = -size & 3;
    uint8_t *p = rt_rtcp_room(out, type, count, size + padding);
    if (p && padding) {
        p[0] |= 0x20;
        memset(p + size, 0, padding);
        p[size + padding - 1] = (uint8_t)padding;
    }
    return p;
}

/* The same for feedback, with both SSRCs written. */
static inline uint8_t *rt_rtcp_feedback_room(rt_writer *out, uint8_t type, uint8_t format, size_t size, uint32_t sender,
                                             uint32_t media)
{
    uint8_t *p = rt_rtcp_room(out, type, format, size);
    if (!p)
        return NULL;
    rt_store32(p + 4, sender);
    rt_store32(p + 8, media);
    return p;
}

/* How large a packet may be here: the format's bound or the writer's. */
static inline size_t rt_rtcp_limit(const rt_writer *out)
{
    size_t left = rt_writer_left(out);
    return left < RT_RTCP_SIZE_MAX ? left : RT_RTCP_SIZE_MAX;
}

#endif
