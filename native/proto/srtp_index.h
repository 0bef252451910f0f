/* The packet indices of one stream that leaves: roll-over counter and sequence number (RFC 3711 section 3.3.1), and
 * which of them were used. An index is part of the nonce, so one that was used, or of which nobody knows any more, is
 * refused: two packets with one nonce give the key's secret away.
 */
#ifndef RT_PROTO_SRTP_INDEX_H
#define RT_PROTO_SRTP_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct rt_srtp_index {
    uint64_t highest;
    uint64_t *sent;  /* a bit for each index in the window, rt_srtp_index_words() of them; unused with `repeats` */
    uint32_t window; /* in packets, with the highest */
    bool started;
    bool repeats; /* the same packet may come again */
} rt_srtp_index;

static inline size_t rt_srtp_index_words(uint32_t window)
{
    return (window + 63) / 64;
}

/* The index of the next packet with this number. RT_REPLAYED: it was used, or is older than the window (`*old`);
 * RT_CLOSED: all 2^48 are used up. */
rt_status rt_srtp_index_claim(const rt_srtp_index *index, uint16_t sequence, uint64_t *out, bool *old);
/* It is used. */
void rt_srtp_index_note(rt_srtp_index *index, uint64_t used);

#endif
