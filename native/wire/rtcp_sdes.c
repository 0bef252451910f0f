/* SDES, BYE and APP (RFC 3550 sections 6.5 to 6.7).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *   |                          SSRC of a chunk                      |   a chunk: SSRC, items, one zero byte,
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+   zeros up to a multiple of four
 *   |     item      |    length     | text ...      |   0   ...
 *   +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 */
#include "wire/rtcp_internal.h"

#include <assert.h>

#define TEXT_MAX 255

static size_t padded(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

/* The walker's place: chunks begun (8 bits), where the chunk starts (28 bits), where the next item is. */
static uint64_t place(uint64_t begun, size_t chunk, size_t item)
{
    return begun << 56 | (uint64_t)chunk << 28 | item;
}

bool rt_rtcp_sdes_next(const rt_rtcp *packet, uint64_t *at, rt_rtcp_item *out, rt_status *status)
{
    const uint8_t *p = packet->body.data;
    size_t size = packet->body.size;
    uint64_t begun = *at >> 56;
    size_t chunk = *at >> 28 & 0xFFFFFFF, item = *at & 0xFFFFFFF;
    for (;;) {
        if (begun == 0 || p[item] == 0) { /* on to the next chunk */
            size_t next = begun == 0 ? 0 : chunk + padded(item + 1 - chunk);
            *status = RT_OK;
            if (begun == packet->count)
                return false;
            chunk = next;
            item = chunk + 4;
            begun++;
        }
        *status = RT_MALFORMED;
        if (item >= size) /* neither an item nor the zero byte */
            return false;
        if (p[item] == 0)
            continue;
        if (size - item < 2 || size - item - 2 < p[item + 1])
            return false;
        size_t end = item + 2 + p[item + 1];
        if (end >= size)
            return false;
        *out = (rt_rtcp_item){.ssrc = rt_load32(p + chunk), .type = p[item], .text = {p + item + 2, p[item + 1]}};
        *at = place(begun, chunk, end);
        *status = RT_OK;
        return true;
    }
}

void rt_rtcp_write_sdes(rt_writer *out, const rt_rtcp_item *items, size_t count)
{
    size_t size = RT_RTCP_HEADER, chunks = 0, chunk = 0;
    for (size_t i = 0; i < count; i++) {
        assert(items[i].type != 0 && items[i].text.size <= TEXT_MAX);
        if (i == 0 || items[i].ssrc != items[i - 1].ssrc) {
            size += padded(chunk);
            chunk = 4 + 1;
            chunks++;
        }
        chunk += 2 + items[i].text.size;
    }
    size += padded(chunk);
    assert(chunks <= RT_RTCP_COUNT_MAX);
    uint8_t *start = rt_rtcp_room(out, RT_RTCP_SDES, (uint8_t)chunks, size);
    if (!start)
        return;
    memset(start + RT_RTCP_HEADER, 0, size - RT_RTCP_HEADER);
    uint8_t *p = start + RT_RTCP_HEADER;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || items[i].ssrc != items[i - 1].ssrc) {
            if (i > 0)
                p = start + padded((size_t)(p - start) + 1);
            rt_store32(p, items[i].ssrc);
            p += 4;
        }
        p[0] = items[i].type;
        p[1] = (uint8_t)items[i].text.size;
        if (items[i].text.size)
            memcpy(p + 2, items[i].text.data, items[i].text.size);
        p += 2 + items[i].text.size;
    }
}

void rt_rtcp_write_cname(rt_writer *out, uint32_t ssrc, rt_span cname)
{
    rt_rtcp_write_sdes(out, &(rt_rtcp_item){.ssrc = ssrc, .type = RT_SDES_CNAME, .text = cname}, 1);
}

rt_status rt_rtcp_bye_read(const rt_rtcp *packet, rt_span *sources, rt_span *reason)
{
    rt_span body = packet->body;
    size_t size = 4 * (size_t)packet->count;
    *sources = *reason = (rt_span){0};
    if (body.size < size)
        return RT_MALFORMED;
    if (body.size > size) {
        if (body.size - size - 1 < body.data[size])
            return RT_MALFORMED;
        *reason = rt_span_of(body.data + size + 1, body.data[size]);
    }
    *sources = rt_span_of(body.data, size);
    return RT_OK;
}

void rt_rtcp_write_bye(rt_writer *out, const uint32_t *sources, uint8_t count, rt_span reason)
{
    assert(count <= RT_RTCP_COUNT_MAX && reason.size <= TEXT_MAX);
    size_t text = reason.size ? padded(1 + reason.size) : 0;
    uint8_t *p = rt_rtcp_room(out, RT_RTCP_BYE, count, RT_RTCP_HEADER + 4 * (size_t)count + text);
    if (!p)
        return;
    p += RT_RTCP_HEADER;
    for (uint8_t i = 0; i < count; i++, p += 4)
        rt_store32(p, sources[i]);
    if (text) {
        memset(p, 0, text);
        *p = (uint8_t)reason.size;
        memcpy(p + 1, reason.data, reason.size);
    }
}

rt_status rt_rtcp_app_read(const rt_rtcp *packet, rt_rtcp_app *out)
{
    *out = (rt_rtcp_app){0};
    if (packet->body.size < 8)
        return RT_MALFORMED;
    out->ssrc = rt_load32(packet->body.data);
    memcpy(out->name, packet->body.data + 4, 4);
    out->data = rt_span_of(packet->body.data + 8, packet->body.size - 8);
    return RT_OK;
}

void rt_rtcp_write_app(rt_writer *out, uint8_t subtype, const rt_rtcp_app *app)
{
    assert(subtype <= RT_RTCP_COUNT_MAX);
    uint8_t *p = rt_rtcp_padded_room(out, RT_RTCP_APP, subtype, RT_RTCP_HEADER + 8 + app->data.size);
    if (!p)
        return;
    rt_store32(p + 4, app->ssrc);
    memcpy(p + 8, app->name, 4);
    if (app->data.size)
        memcpy(p + 12, app->data.data, app->data.size);
}
