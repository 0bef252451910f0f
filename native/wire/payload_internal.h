/* Inside the payload formats: what each of them gives to payload.c, and what they share. Not for others. */
#ifndef RT_WIRE_PAYLOAD_INTERNAL_H
#define RT_WIRE_PAYLOAD_INTERNAL_H

#include "wire/payload.h"

struct rt_packetizer {
    rt_payload_format format;
    uint16_t picture_id; /* of the next frame, 15 bits */
    uint8_t tl0;         /* of the last frame of the base layer */
    bool has_layers;     /* a frame was of a higher temporal layer */
    bool tells_layers;   /* VP9: so since the last key frame */
};

/* One payload format. payload.c has checked before: no payload is empty, `count` is not 0, `data` is neither empty
 * nor beyond what offsets hold, `max_payload` is 64 to 65535. */
typedef struct rt_payload_ops {
    /* `out` is zeroed but for ends_frame, which is the marker. */
    rt_status (*inspect)(const rt_payload_format *format, rt_span payload, rt_payload_info *out);
    /* Appends to `*frame` with rt_frame_append(), which may move it, and sets what the payloads tell of it. */
    rt_status (*assemble)(const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **frame);
    /* Makes a block with rt_payloads_new() and fills it with rt_payloads_add(). */
    rt_status (*packetize)(rt_packetizer *packetizer, const rt_frame *frame, rt_span data, size_t max_payload,
                           rt_payloads **out);
} rt_payload_ops;

extern const rt_payload_ops rt_payload_audio;
extern const rt_payload_ops rt_payload_vp8;
extern const rt_payload_ops rt_payload_vp9;
extern const rt_payload_ops rt_payload_h264;
extern const rt_payload_ops rt_payload_h265;
extern const rt_payload_ops rt_payload_av1;

/* ---- making payloads ---- */

/* A block with room for `capacity` payloads of `bytes` bytes together; `key`: all are of a key frame. */
rt_payloads *rt_payloads_new(const rt_frame *frame, bool key, size_t capacity, size_t bytes);

/* The next payload, to be filled by the caller. */
static inline uint8_t *rt_payloads_add(rt_payloads *payloads, size_t size)
{
    rt_payload *item = &payloads->items[payloads->count];
    item->offset = payloads->count ? item[-1].offset + item[-1].size : 0;
    item->size = (uint16_t)size;
    payloads->count++;
    return (uint8_t *)payloads->data + item->offset;
}

/* Into how many pieces of at most `room` bytes `size` bytes are cut, and how large they are (the last one may be
 * smaller): as few as possible, as equal as possible. */
static inline size_t rt_payload_pieces(size_t size, size_t room, size_t *piece)
{
    size_t count = (size + room - 1) / room;
    *piece = (size + count - 1) / count;
    return (size + *piece - 1) / *piece;
}

/* ---- making frames ---- */

/* Room for `size` more bytes at the end of the frame, to be filled; NULL when there is no memory. */
uint8_t *rt_frame_append(rt_frame **frame, size_t size);

static inline bool rt_frame_append_span(rt_frame **frame, rt_span span)
{
    uint8_t *room = rt_frame_append(frame, span.size);
    if (room)
        memcpy(room, span.data, span.size);
    return room != NULL;
}

#endif
