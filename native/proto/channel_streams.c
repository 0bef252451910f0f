#include "proto/channel_streams.h"

#include <stdlib.h>

enum { PAGES = 65536 / RT_CHANNEL_PAGE, WORDS = RT_CHANNEL_PAGE / 64 };

static const uint64_t parity_mask[2] = {0x5555555555555555u, 0xaaaaaaaaaaaaaaaau};

void rt_channel_streams_free(rt_channel_streams *streams)
{
    for (uint32_t i = 0; i < PAGES; i++)
        free(streams->pages[i]);
    *streams = (rt_channel_streams){0};
}

static uint64_t bit(uint16_t id)
{
    return 1ull << (id % 64u);
}

static uint64_t *word(rt_channel_page *page, uint16_t id)
{
    return &page->taken[id % RT_CHANNEL_PAGE / 64u];
}

bool rt_channel_streams_taken(const rt_channel_streams *streams, uint16_t id)
{
    rt_channel_page *page = streams->pages[id / RT_CHANNEL_PAGE];
    return page && (*word(page, id) & bit(id));
}

rt_status rt_channel_streams_put(rt_channel_streams *streams, uint16_t id, struct rt_channel *channel)
{
    if (rt_channel_streams_taken(streams, id))
        return RT_EXISTS;
    rt_channel_page **page = &streams->pages[id / RT_CHANNEL_PAGE];
    if (!*page && !(*page = calloc(1, sizeof **page)))
        return RT_NO_MEMORY;
    *word(*page, id) |= bit(id);
    (*page)->channels[id % RT_CHANNEL_PAGE] = channel;
    return RT_OK;
}

void rt_channel_streams_remove(rt_channel_streams *streams, uint16_t id, bool burn)
{
    uint16_t at = id / RT_CHANNEL_PAGE;
    rt_channel_page *page = streams->pages[at];
    if (!page)
        return;
    page->channels[id % RT_CHANNEL_PAGE] = NULL;
    if (burn)
        return;
    *word(page, id) &= ~bit(id);
    if (at < streams->hint[id & 1])
        streams->hint[id & 1] = at;
}

/* The lowest free id of the parity within a page, or RT_CHANNEL_PAGE. */
static uint32_t vacant_in(const rt_channel_page *page, bool odd)
{
    if (!page)
        return odd;
    for (uint32_t i = 0; i < WORDS; i++) {
        uint64_t vacant = ~page->taken[i] & parity_mask[odd];
        if (vacant)
            return i * 64 + (uint32_t)__builtin_ctzll(vacant);
    }
    return RT_CHANNEL_PAGE;
}

rt_status rt_channel_streams_vacant(rt_channel_streams *streams, bool odd, uint32_t limit, uint16_t *out)
{
    for (uint16_t at = streams->hint[odd]; at < PAGES; at++) {
        uint32_t within = vacant_in(streams->pages[at], odd);
        if (within == RT_CHANNEL_PAGE)
            continue;
        streams->hint[odd] = at;
        uint32_t id = at * (uint32_t)RT_CHANNEL_PAGE + within;
        if (id >= limit)
            return RT_AGAIN;
        *out = (uint16_t)id;
        return RT_OK;
    }
    streams->hint[odd] = PAGES;
    return RT_AGAIN;
}
