#include "wire/rtp_internal.h"

#include <assert.h>

static const char *const URIS[RT_RTP_EXTENSIONS] = {
    [RT_RTP_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
    [RT_RTP_RID] = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    [RT_RTP_REPAIRED_RID] = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    [RT_RTP_AUDIO_LEVEL] = "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    [RT_RTP_ABS_SEND_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    [RT_RTP_TRANSPORT_SEQUENCE] = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    [RT_RTP_VIDEO_ORIENTATION] = "urn:3gpp:video-orientation",
    [RT_RTP_PLAYOUT_DELAY] = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    [RT_RTP_ABS_CAPTURE_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    [RT_RTP_DEPENDENCY_DESCRIPTOR] =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
};

rt_rtp_extension rt_rtp_extension_of(rt_span uri)
{
    int extension = 0;
    while (extension < RT_RTP_EXTENSIONS && !rt_span_equal(uri, rt_span_text(URIS[extension])))
        extension++;
    return (rt_rtp_extension)extension;
}

const char *rt_rtp_extension_uri(rt_rtp_extension extension)
{
    assert(extension < RT_RTP_EXTENSIONS);
    return URIS[extension];
}

rt_status rt_rtp_extension_map_set(rt_rtp_extension_map *map, rt_rtp_extension extension, uint8_t id)
{
    assert(extension < RT_RTP_EXTENSIONS);
    if (id == 0 || id == 15)
        return RT_INVALID;
    if (map->kind[id] != 0 && map->kind[id] != extension + 1)
        return RT_INVALID;
    map->kind[map->id[extension]] = 0;
    map->id[extension] = id;
    map->kind[id] = (uint8_t)(extension + 1);
    return RT_OK;
}

static bool read_text(rt_span value, rt_rtp_text *out)
{
    if (value.size == 0 || value.size > RT_RTP_TEXT_MAX)
        return false;
    *out = (rt_rtp_text){.size = (uint8_t)value.size}; /* zeros behind the text, also if it comes twice */
    memcpy(out->data, value.data, value.size);
    return true;
}

/* The value of one extension; false when its length is not one of the kind. */
static bool read_value(rt_rtp_extension extension, rt_span value, rt_rtp_values *out)
{
    const uint8_t *p = value.data;
    switch (extension) {
    case RT_RTP_MID: return read_text(value, &out->mid);
    case RT_RTP_RID: return read_text(value, &out->rid);
    case RT_RTP_REPAIRED_RID: return read_text(value, &out->repaired_rid);
    case RT_RTP_AUDIO_LEVEL:
        if (value.size != 1)
            return false;
        out->voice = p[0] >> 7;
        out->audio_level = p[0] & 127;
        return true;
    case RT_RTP_ABS_SEND_TIME:
        if (value.size != 3)
            return false;
        out->abs_send_time = rt_load24(p);
        return true;
    case RT_RTP_TRANSPORT_SEQUENCE:
        if (value.size != 2)
            return false;
        out->transport_sequence = rt_load16(p);
        return true;
    case RT_RTP_VIDEO_ORIENTATION:
        if (value.size != 1)
            return false;
        out->orientation = p[0];
        return true;
    case RT_RTP_PLAYOUT_DELAY:
        if (value.size != 3)
            return false;
        out->playout_min = (uint16_t)(rt_load24(p) >> 12);
        out->playout_max = (uint16_t)(rt_load24(p) & 0xFFF);
        return true;
    case RT_RTP_ABS_CAPTURE_TIME:
        if (value.size != 8 && value.size != 16)
            return false;
        out->capture_time = rt_load64(p);
        out->capture_offset = 0;
        out->present &= ~RT_RTP_CAPTURE_OFFSET;
        if (value.size == 16) {
            out->capture_offset = (int64_t)rt_load64(p + 8);
            out->present |= RT_RTP_CAPTURE_OFFSET;
        }
        return true;
    case RT_RTP_DEPENDENCY_DESCRIPTOR:
        if (value.size == 0)
            return false;
        out->dependency_descriptor = value;
        return true;
    case RT_RTP_EXTENSIONS: break;
    }
    return false;
}

/* Whether the block is of RFC 8285, and in which form. */
static bool form(uint16_t profile, bool *two_byte)
{
    *two_byte = (profile & 0xFFF0) == RT_RTP_TWO_BYTE;
    return *two_byte || profile == RT_RTP_ONE_BYTE;
}

rt_status rt_rtp_read_values(const rt_rtp *packet, const rt_rtp_extension_map *map, rt_rtp_values *out)
{
    *out = (rt_rtp_values){0};
    bool two_byte;
    if (!form(packet->profile, &two_byte))
        return RT_OK;
    const uint8_t *at = packet->extensions.data, *end = at + packet->extensions.size;
    uint8_t id;
    rt_span value;
    for (;;) {
        rt_status status = rt_rtp_element(&at, end, two_byte, &id, &value);
        if (status != RT_OK)
            return status == RT_NOT_FOUND ? RT_OK : status;
        unsigned kind = map->kind[id];
        if (kind && read_value((rt_rtp_extension)(kind - 1), value, out))
            out->present |= UINT32_C(1) << (kind - 1);
    }
}

rt_status rt_rtp_next_element(const rt_rtp *packet, size_t *at, uint8_t *id, rt_span *value)
{
    bool two_byte;
    if (!form(packet->profile, &two_byte))
        return RT_NOT_FOUND;
    const uint8_t *start = packet->extensions.data, *next = start + *at;
    rt_status status = rt_rtp_element(&next, start + packet->extensions.size, two_byte, id, value);
    *at = (size_t)(next - start);
    return status;
}

/* The size that a value takes on the wire. */
static size_t value_size(rt_rtp_extension extension, const rt_rtp_values *values)
{
    switch (extension) {
    case RT_RTP_MID: return values->mid.size;
    case RT_RTP_RID: return values->rid.size;
    case RT_RTP_REPAIRED_RID: return values->repaired_rid.size;
    case RT_RTP_AUDIO_LEVEL:
    case RT_RTP_VIDEO_ORIENTATION: return 1;
    case RT_RTP_TRANSPORT_SEQUENCE: return 2;
    case RT_RTP_ABS_SEND_TIME:
    case RT_RTP_PLAYOUT_DELAY: return 3;
    case RT_RTP_ABS_CAPTURE_TIME: return values->present & RT_RTP_CAPTURE_OFFSET ? 16 : 8;
    case RT_RTP_DEPENDENCY_DESCRIPTOR: return values->dependency_descriptor.size;
    case RT_RTP_EXTENSIONS: break;
    }
    return 0;
}

static void write_value(uint8_t *p, rt_rtp_extension extension, const rt_rtp_values *values)
{
    switch (extension) {
    case RT_RTP_MID: memcpy(p, values->mid.data, values->mid.size); break;
    case RT_RTP_RID: memcpy(p, values->rid.data, values->rid.size); break;
    case RT_RTP_REPAIRED_RID: memcpy(p, values->repaired_rid.data, values->repaired_rid.size); break;
    case RT_RTP_AUDIO_LEVEL: *p = (uint8_t)(values->voice << 7 | (values->audio_level & 127)); break;
    case RT_RTP_VIDEO_ORIENTATION: *p = values->orientation; break;
    case RT_RTP_TRANSPORT_SEQUENCE: rt_store16(p, values->transport_sequence); break;
    case RT_RTP_ABS_SEND_TIME: rt_store24(p, values->abs_send_time); break;
    case RT_RTP_PLAYOUT_DELAY:
        rt_store24(p, (uint32_t)(values->playout_min & 0xFFF) << 12 | (values->playout_max & 0xFFF));
        break;
    case RT_RTP_ABS_CAPTURE_TIME:
        rt_store64(p, values->capture_time);
        if (values->present & RT_RTP_CAPTURE_OFFSET)
            rt_store64(p + 8, (uint64_t)values->capture_offset);
        break;
    case RT_RTP_DEPENDENCY_DESCRIPTOR:
        memcpy(p, values->dependency_descriptor.data, values->dependency_descriptor.size);
        break;
    case RT_RTP_EXTENSIONS: break;
    }
}

/* The extensions that are both there and negotiated, as bits. */
static uint32_t wanted(const rt_rtp_extension_map *map, const rt_rtp_values *values)
{
    uint32_t bits = values->present & ((UINT32_C(1) << RT_RTP_EXTENSIONS) - 1), out = 0;
    for (; bits; bits &= bits - 1) {
        int extension = __builtin_ctz(bits);
        out |= (uint32_t)(map->id[extension] != 0) << extension;
    }
    return out;
}

size_t rt_rtp_block_size(const rt_rtp_extension_map *map, const rt_rtp_values *values, uint16_t *profile)
{
    uint32_t bits = wanted(map, values);
    size_t size = 0, count = 0;
    bool two_byte = false;
    for (; bits; bits &= bits - 1, count++) {
        int extension = __builtin_ctz(bits);
        size_t one = value_size((rt_rtp_extension)extension, values);
        assert(one <= (extension <= RT_RTP_REPAIRED_RID ? RT_RTP_TEXT_MAX : 255));
        two_byte |= one == 0 || one > 16 || map->id[extension] > 14;
        size += one;
    }
    *profile = two_byte ? RT_RTP_TWO_BYTE : RT_RTP_ONE_BYTE;
    if (count == 0)
        return 0;
    return 4 + ((size + count * (two_byte ? 2 : 1) + 3) & ~(size_t)3);
}

void rt_rtp_block_write(uint8_t *out, size_t size, uint16_t profile, const rt_rtp_extension_map *map,
                        const rt_rtp_values *values)
{
    uint8_t *p = out + 4, *end = out + size;
    rt_store16(out, profile);
    rt_store16(out + 2, (uint16_t)((size - 4) / 4));
    for (uint32_t bits = wanted(map, values); bits; bits &= bits - 1) {
        rt_rtp_extension extension = (rt_rtp_extension)__builtin_ctz(bits);
        size_t one = value_size(extension, values);
        if (profile == RT_RTP_ONE_BYTE) {
            *p++ = (uint8_t)(map->id[extension] << 4 | (one - 1));
        } else {
            *p++ = map->id[extension];
            *p++ = (uint8_t)one;
        }
        write_value(p, extension, values);
        p += one;
    }
    while (p < end)
        *p++ = 0;
}

uint8_t *rt_rtp_find_extension(rt_buffer packet, const rt_rtp_extension_map *map, rt_rtp_extension extension,
                               uint8_t *size)
{
    uint8_t wanted_id = map->id[extension];
    rt_rtp rtp;
    bool two_byte;
    if (wanted_id == 0 || rt_rtp_parse(rt_buffer_span(packet), &rtp) != RT_OK || !form(rtp.profile, &two_byte))
        return NULL;
    const uint8_t *at = rtp.extensions.data, *end = at + rtp.extensions.size;
    uint8_t id;
    rt_span value;
    while (rt_rtp_element(&at, end, two_byte, &id, &value) == RT_OK) {
        if (id == wanted_id) {
            *size = (uint8_t)value.size;
            return packet.data + (value.data - packet.data);
        }
    }
    return NULL;
}
