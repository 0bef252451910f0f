#include "wire/rtp_batch.h"

_Static_assert(sizeof(rt_rtp_row) == 112, "a row has no holes");

static void put_values(const rt_rtp_values *values, const uint8_t *origin, rt_rtp_row *out)
{
    out->present = values->present;
    if (!values->present)
        return;
    out->capture_time = values->capture_time;
    out->capture_offset = values->capture_offset;
    out->abs_send_time = values->abs_send_time;
    out->transport_sequence = values->transport_sequence;
    out->playout_min = values->playout_min;
    out->playout_max = values->playout_max;
    out->voice = values->voice;
    out->audio_level = (int8_t)-values->audio_level;
    out->orientation = values->orientation;
    memcpy(out->mid, values->mid.data, sizeof out->mid);
    memcpy(out->rid, values->rid.data, sizeof out->rid);
    memcpy(out->repaired_rid, values->repaired_rid.data, sizeof out->repaired_rid);
    if (RT_RTP_HAS(values, RT_RTP_DEPENDENCY_DESCRIPTOR)) {
        out->descriptor_offset = (uint32_t)(values->dependency_descriptor.data - origin);
        out->descriptor_size = (uint32_t)values->dependency_descriptor.size;
    }
}

static bool read_row(rt_span packet, const rt_rtp_extension_map *map, const uint8_t *origin, rt_rtp_row *out)
{
    rt_rtp rtp;
    rt_rtp_values values;
    memset(out, 0, sizeof *out);
    if (rt_rtp_parse(packet, &rtp) != RT_OK)
        return false;
    if (map && rtp.profile) {
        if (rt_rtp_read_values(&rtp, map, &values) != RT_OK)
            return false; /* nothing is in the row yet */
        put_values(&values, origin, out);
    }
    out->timestamp = rtp.timestamp;
    out->ssrc = rtp.ssrc;
    out->payload_offset = (uint32_t)(rtp.payload.data - origin);
    out->payload_size = (uint32_t)rtp.payload.size;
    out->sequence = rtp.sequence;
    out->valid = 1;
    out->payload_type = rtp.payload_type;
    out->marker = rtp.marker;
    out->padding = rtp.padding;
    out->csrc_count = rtp.csrc_count;
    return true;
}

size_t rt_rtp_read_rows(const rt_span *packets, size_t count, const rt_rtp_extension_map *map, const uint8_t *origin,
                        rt_rtp_row *out)
{
    size_t valid = 0;
    for (size_t i = 0; i < count; i++)
        valid += read_row(packets[i], map, origin ? origin : packets[i].data, &out[i]);
    return valid;
}
