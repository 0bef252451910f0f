/* What rtp.c and rtp_extension.c share: the walk over the elements of an extension block (RFC 8285), and its
 * writing.
 *
 *    0 1 2 3 4 5 6 7 8                     0                   1
 *   +-+-+-+-+-+-+-+-+-                     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6
 *   |  ID   |  len  | value, len + 1       +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
 *   +-+-+-+-+-+-+-+-+-  bytes              |      ID       |      len      |  value, len bytes
 *    one-byte header, section 4.2          +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-  two-byte header, section 4.3
 */
#ifndef RT_WIRE_RTP_INTERNAL_H
#define RT_WIRE_RTP_INTERNAL_H

#include "wire/rtp.h"

#define RT_RTP_ONE_BYTE 0xBEDE
#define RT_RTP_TWO_BYTE 0x1000 /* the low four bits are the application's */

/* The next element at `*at`, `*at` moves behind it. RT_NOT_FOUND at the end of the block, or where the RFC ends the
 * reading; RT_MALFORMED where an element leaves the block. */
static inline rt_status rt_rtp_element(const uint8_t **at, const uint8_t *end, bool two_byte, uint8_t *id,
                                       rt_span *value)
{
    const uint8_t *p = *at;
    while (p < end && *p == 0) /* padding */
        p++;
    if (p == end)
        return RT_NOT_FOUND;
    size_t size;
    if (two_byte) {
        if (end - p < 2)
            return RT_MALFORMED;
        *id = p[0];
        size = p[1];
        p += 2;
    } else {
        *id = p[0] >> 4;
        size = (size_t)(p[0] & 15) + 1;
        if (*id == 0 || *id == 15)
            return RT_NOT_FOUND; /* section 4.2: the rest does not count */
        p++;
    }
    if ((size_t)(end - p) < size)
        return RT_MALFORMED;
    *value = (rt_span){p, size};
    *at = p + size;
    return RT_OK;
}

/* Bytes of the extension block with its header, 0: there is nothing to write. `*profile` is the form it takes. */
size_t rt_rtp_block_size(const rt_rtp_extension_map *map, const rt_rtp_values *values, uint16_t *profile);
/* Writes a block of that size and form. */
void rt_rtp_block_write(uint8_t *out, size_t size, uint16_t profile, const rt_rtp_extension_map *map,
                        const rt_rtp_values *values);

#endif
