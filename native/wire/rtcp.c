#include "wire/rtcp_internal.h"

#include <assert.h>

bool rt_rtcp_next(rt_reader *datagram, rt_rtcp *out, rt_status *status)
{
    *status = RT_OK;
    size_t left = rt_reader_left(datagram);
    if (left == 0)
        return false;
    *status = RT_MALFORMED;
    const uint8_t *p = datagram->at;
    if (left < RT_RTCP_HEADER || p[0] >> 6 != 2)
        return false;
    size_t size = 4 * (size_t)rt_load16(p + 2) + RT_RTCP_HEADER;
    if (size > left)
        return false;
    size_t padding = 0;
    if (p[0] & 0x20) {
        padding = p[size - 1];
        if (padding == 0 || padding > size - RT_RTCP_HEADER)
            return false;
    }
    *out = (rt_rtcp){
        .type = p[1], .count = p[0] & 31, .body = rt_span_of(p + RT_RTCP_HEADER, size - RT_RTCP_HEADER - padding)};
    datagram->at += size;
    *status = RT_OK;
    return true;
}

void rt_rtcp_write(rt_writer *out, uint8_t type, uint8_t count, rt_span body)
{
    assert(count <= RT_RTCP_COUNT_MAX);
    uint8_t *p = rt_rtcp_padded_room(out, type, count, RT_RTCP_HEADER + body.size);
    if (p && body.size)
        memcpy(p + RT_RTCP_HEADER, body.data, body.size);
}
