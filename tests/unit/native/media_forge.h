/* Packets that another end might write: for tests that look at one packet's fate at a time. Made in a buffer of the
 * caller, forged into end 1 of a media_world.
 */
#ifndef RT_TESTS_MEDIA_FORGE_H
#define RT_TESTS_MEDIA_FORGE_H

#include "media_world.h"
#include "wire/rtp.h"

typedef struct forged {
    uint8_t payload_type;
    uint16_t sequence;
    uint32_t timestamp, ssrc;
    const char *mid, *rid, *repaired_rid;
    int32_t transport_sequence; /* 0: none */
    int32_t original;           /* RTX: original sequence number + 1; 0: no RTX */
    bool marker;
} forged;

/* A whole VP8 key frame in a payload, or Opus of 20 ms. */
static inline size_t forge_payload(uint8_t *out, uint8_t payload_type)
{
    static const uint8_t vp8[] = {0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0, 1, 2, 3};
    static const uint8_t opus[] = {0x08, 1, 2, 3};
    bool video = payload_type == MEDIA_VP8 || payload_type == MEDIA_VP8_RTX;
    memcpy(out, video ? vp8 : opus, video ? sizeof vp8 : sizeof opus);
    return video ? sizeof vp8 : sizeof opus;
}

static inline size_t forge_write(const forged *f, const rt_rtp_extension_map *map, rt_buffer memory)
{
    rt_rtp header = {.marker = f->marker,
                     .payload_type = f->payload_type,
                     .sequence = f->sequence,
                     .timestamp = f->timestamp,
                     .ssrc = f->ssrc};
    rt_rtp_values values = {.present = 0};
    if (f->mid) {
        values.mid = media_text(f->mid);
        values.present |= 1u << RT_RTP_MID;
    }
    if (f->rid) {
        values.rid = media_text(f->rid);
        values.present |= 1u << RT_RTP_RID;
    }
    if (f->repaired_rid) {
        values.repaired_rid = media_text(f->repaired_rid);
        values.present |= 1u << RT_RTP_REPAIRED_RID;
    }
    if (f->transport_sequence) {
        values.transport_sequence = (uint16_t)f->transport_sequence;
        values.present |= 1u << RT_RTP_TRANSPORT_SEQUENCE;
    }
    uint8_t payload[64];
    size_t size = forge_payload(payload, f->payload_type);
    rt_writer writer = rt_writer_of(memory);
    CHECK_EQ(rt_rtp_write_header(&writer, &header, map, &values), RT_OK);
    if (f->original)
        rt_write16(&writer, (uint16_t)(f->original - 1));
    rt_write_span(&writer, rt_span_of(payload, size));
    CHECK(rt_writer_ok(&writer));
    return rt_writer_size(&writer);
}

static inline rt_status forge(media_world *w, const forged *f)
{
    uint8_t memory[256];
    const rt_rtp_extension_map *map = &w->ends[1].sections[MEDIA_VIDEO].extensions;
    size_t size = forge_write(f, map, rt_buffer_of(memory, sizeof memory));
    rt_status status = media_world_forge(w, 1, rt_span_of(memory, size));
    media_world_flush(w);
    return status;
}

static inline rt_media_stats forge_stats(const media_world *w)
{
    rt_media_stats stats;
    rt_media_get_stats(w->ends[1].media, &stats);
    return stats;
}

#endif
