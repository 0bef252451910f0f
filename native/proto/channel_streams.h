/* Which channel is on which stream, and which stream ids are taken: a table of 65536 in pages that exist
 * where there is something. Lookup is two loads; the lowest free id of a parity is found by bits.
 */
#ifndef RT_PROTO_CHANNEL_STREAMS_H
#define RT_PROTO_CHANNEL_STREAMS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RT_CHANNEL_PAGE = 256 };

typedef struct rt_channel_page {
    uint64_t taken[RT_CHANNEL_PAGE / 64]; /* also ids that are out of use, without a channel */
    struct rt_channel *channels[RT_CHANNEL_PAGE];
} rt_channel_page;

typedef struct rt_channel_streams {
    rt_channel_page *pages[65536 / RT_CHANNEL_PAGE];
    uint16_t hint[2]; /* per parity: no page before it has a free id */
} rt_channel_streams;

void rt_channel_streams_free(rt_channel_streams *streams);

static inline struct rt_channel *rt_channel_streams_get(const rt_channel_streams *streams, uint16_t id)
{
    const rt_channel_page *page = streams->pages[id / RT_CHANNEL_PAGE];
    return page ? page->channels[id % RT_CHANNEL_PAGE] : NULL;
}

bool rt_channel_streams_taken(const rt_channel_streams *streams, uint16_t id);
/* RT_EXISTS when it is taken. */
rt_status rt_channel_streams_put(rt_channel_streams *streams, uint16_t id, struct rt_channel *channel);
/* The channel leaves; with `burn` its id stays taken. */
void rt_channel_streams_remove(rt_channel_streams *streams, uint16_t id, bool burn);
/* The lowest free odd or even id below `limit`; RT_AGAIN when there is none. */
rt_status rt_channel_streams_vacant(rt_channel_streams *streams, bool odd, uint32_t limit, uint16_t *out);

#endif
