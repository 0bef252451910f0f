#include "wire/rtp_internal.h"

#include <assert.h>

rt_status rt_rtp_parse(rt_span packet, rt_rtp *out)
{
    if (packet.size < RT_RTP_HEADER || packet.data[0] >> 6 != 2)
        return RT_MALFORMED;
    const uint8_t *p = packet.data, *end = p + packet.size;
    unsigned first = p[0], second = p[1];
    out->marker = second >> 7;
    out->payload_type = second & 127;
    out->csrc_count = first & 15;
    out->sequence = rt_load16(p + 2);
    out->timestamp = rt_load32(p + 4);
    out->ssrc = rt_load32(p + 8);
    p += RT_RTP_HEADER;

    size_t size = 4 * (size_t)out->csrc_count;
    if ((size_t)(end - p) < size)
        return RT_MALFORMED;
    out->csrcs = (rt_span){p, size};
    p += size;

    out->profile = 0;
    out->extensions = (rt_span){0};
    if (first & 0x10) {
        if (end - p < 4)
            return RT_MALFORMED;
        out->profile = rt_load16(p);
        size = 4 * (size_t)rt_load16(p + 2);
        p += 4;
        if ((size_t)(end - p) < size)
            return RT_MALFORMED;
        out->extensions = (rt_span){p, size};
        p += size;
    }

    size = (size_t)(end - p);
    out->padding = 0;
    if (first & 0x20) {
        if (size == 0 || end[-1] == 0 || end[-1] > size)
            return RT_MALFORMED;
        out->padding = end[-1];
        size -= out->padding;
    }
    out->payload = (rt_span){p, size};
    return RT_OK;
}

/* The extension block of a packet to write: as it came, or made of values. */
static size_t block_size(const rt_rtp *packet, const rt_rtp_extension_map *map, const rt_rtp_values *values,
                         uint16_t *profile)
{
    if (values)
        return rt_rtp_block_size(map, values, profile);
    *profile = packet->profile;
    return packet->profile || packet->extensions.data ? 4 + packet->extensions.size : 0;
}

size_t rt_rtp_header_size(const rt_rtp *packet, const rt_rtp_extension_map *map, const rt_rtp_values *values)
{
    uint16_t profile;
    return RT_RTP_HEADER + 4 * (size_t)packet->csrc_count + block_size(packet, map, values, &profile);
}

rt_status rt_rtp_write_header(rt_writer *out, const rt_rtp *packet, const rt_rtp_extension_map *map,
                              const rt_rtp_values *values)
{
    assert(packet->csrc_count <= RT_RTP_CSRCS_MAX && packet->payload_type < 128);
    assert(packet->csrcs.size == 4 * (size_t)packet->csrc_count);
    assert(values || (packet->extensions.size % 4 == 0 && packet->extensions.size / 4 <= 0xFFFF));
    uint16_t profile;
    size_t block = block_size(packet, map, values, &profile);
    size_t csrcs = packet->csrcs.size;
    if (RT_RTP_HEADER + csrcs + block > rt_writer_left(out))
        return RT_TOO_LARGE;
    uint8_t *p = rt_write_room(out, RT_RTP_HEADER + csrcs + block);
    p[0] = (uint8_t)(0x80 | (packet->padding ? 0x20 : 0) | (block ? 0x10 : 0) | packet->csrc_count);
    p[1] = (uint8_t)(packet->marker << 7 | packet->payload_type);
    rt_store16(p + 2, packet->sequence);
    rt_store32(p + 4, packet->timestamp);
    rt_store32(p + 8, packet->ssrc);
    p += RT_RTP_HEADER;
    if (csrcs)
        memcpy(p, packet->csrcs.data, csrcs);
    p += csrcs;
    if (!block)
        return RT_OK;
    if (values) {
        rt_rtp_block_write(p, block, profile, map, values);
    } else {
        rt_store16(p, profile);
        rt_store16(p + 2, (uint16_t)(packet->extensions.size / 4));
        if (packet->extensions.size)
            memcpy(p + 4, packet->extensions.data, packet->extensions.size);
    }
    return RT_OK;
}

rt_status rt_rtx_unwrap(rt_rtp *packet, uint32_t ssrc, uint8_t payload_type)
{
    if (packet->payload.size < 2)
        return RT_MALFORMED;
    packet->sequence = rt_load16(packet->payload.data);
    packet->payload.data += 2;
    packet->payload.size -= 2;
    packet->ssrc = ssrc;
    packet->payload_type = payload_type;
    return RT_OK;
}

#define SECOND UINT64_C(1000000000)

uint64_t rt_ntp_from_ns(uint64_t nanoseconds)
{
    /* Rounded up, so that going there and back changes nothing: to_ns rounds down, and a unit of NTP is finer. */
    uint64_t fraction = ((nanoseconds % SECOND << 32) + SECOND - 1) / SECOND;
    return (nanoseconds / SECOND << 32) + fraction;
}

uint64_t rt_ntp_to_ns(uint64_t ntp)
{
    return (ntp >> 32) * SECOND + ((ntp & 0xFFFFFFFF) * SECOND >> 32);
}
