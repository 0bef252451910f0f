/* Payload formats: encoded frames into RTP payloads and back.
 *
 *   Opus RFC 7587 · PCMU, PCMA, G.722, L16 RFC 3551 · telephone-event RFC 4733 · RED RFC 2198 · VP8 RFC 7741 ·
 *   VP9 RFC 9628 · H.264 RFC 6184 (modes 0 and 1) · H.265 RFC 7798 · AV1 (AOM RTP specification 1.0)
 *
 * Frames are: H.264 and H.265 an access unit in Annex B form (start codes of 3 or 4 bytes in, 4 out); AV1 a
 * temporal unit in low-overhead form (every OBU with its size; temporal delimiters, padding and tile lists are
 * dropped); VP9 all spatial layers of a picture as a superframe; the others as the encoder gives them. Audio is never
 * cut: a frame is one payload.
 *
 * Packetizing cuts a frame once into a block of payloads that any number of senders share: retransmission and a
 * thousand receivers cost no further copy. Payloads of a frame have equal sizes (but for the last), as far as the
 * format lets them, so that they leave as one UDP GSO run. Depacketizing has two steps: inspect() tells of one
 * payload what a jitter buffer must know; assemble() makes the frame of all its payloads.
 */
#ifndef RT_WIRE_PAYLOAD_H
#define RT_WIRE_PAYLOAD_H

#include "base/frame.h"
#include "base/random.h"
#include "base/span.h"
#include "base/status.h"

typedef struct rt_payload_format {
    rt_codec codec;
    uint32_t clock_rate; /* RTP clock */
    uint8_t channels;    /* audio, 1 or more */
    uint8_t h264_mode;   /* packetization-mode 0 or 1 */
    uint8_t ptime;       /* audio: ms per packet that the sender should make; 0: as frames come */
} rt_payload_format;

/* ---- sending ---- */

enum { RT_PAYLOAD_MARKER = 1, RT_PAYLOAD_START = 2, RT_PAYLOAD_KEY = 4, RT_PAYLOAD_DISCARDABLE = 8 };

typedef struct rt_payload {
    uint32_t offset; /* into `data` of its block */
    uint16_t size;
    uint8_t flags; /* RT_PAYLOAD_... */
    uint8_t spatial, temporal;
} rt_payload;

typedef struct rt_payloads { /* all payloads of one frame: one allocation, shared by reference, never changed */
    atomic_uint references;
    uint32_t count;
    rt_codec codec;
    const uint8_t *data;
    rt_payload items[];
} rt_payloads;

static inline rt_payloads *rt_payloads_ref(rt_payloads *payloads)
{
    atomic_fetch_add_explicit(&payloads->references, 1, memory_order_relaxed);
    return payloads;
}
void rt_payloads_unref(rt_payloads *payloads); /* NULL is fine */

static inline rt_span rt_payload_span(const rt_payloads *payloads, uint32_t index)
{
    return rt_span_of(payloads->data + payloads->items[index].offset, payloads->items[index].size);
}

typedef struct rt_packetizer rt_packetizer; /* what a stream of frames counts on: picture ids, TL0PICIDX */

/* RT_UNSUPPORTED formats: NULL as for no memory; ask rt_payload_can_send(). */
bool rt_payload_can_send(const rt_payload_format *format);
rt_packetizer *rt_packetizer_new(const rt_payload_format *format, rt_random *random);
void rt_packetizer_free(rt_packetizer *packetizer);
/* `frame` gives codec, flags and layers, `data` the bytes (not those of `frame`). RT_INVALID: not a frame of this
 * codec; RT_TOO_LARGE: a part that the format cannot cut (H.264 mode 0) is larger than `max_payload` (>= 64). */
rt_status rt_packetizer_frame(rt_packetizer *packetizer, const rt_frame *frame, rt_span data, size_t max_payload,
                              rt_payloads **out);

/* ---- receiving ---- */

typedef struct rt_payload_info {
    /* The first payload of a frame, by the format. H.264, H.265 and AV1 do not mark it: there it says that a frame
     * may start here, which parameter sets and the first slice do both. Certain is that a frame's first payload is
     * the one behind another timestamp's last, in order of sequence numbers. */
    bool starts_frame;
    bool ends_frame; /* the last one of it for certain: by the format, or the marker */
    bool key;        /* part of a key frame, as far as this payload tells */
    bool discardable;
    bool has_picture_id, has_tl0;
    bool layer_switch; /* VP8/VP9: one may switch up to this temporal layer here */
    uint8_t spatial, temporal;
    uint16_t picture_id; /* 7 or 15 bits */
    uint8_t picture_id_bits;
    uint8_t tl0;
    uint16_t width, height; /* of key frames that tell it in this payload; 0: not told */
    uint32_t duration;      /* audio: clock units; 0 for video */
} rt_payload_info;

/* RT_MALFORMED: not a payload of this format. Empty payloads (padding) are malformed for all codecs. */
rt_status rt_payload_inspect(const rt_payload_format *format, rt_span payload, bool marker, rt_payload_info *out);

/* Appends payloads one after the other, in order and all of one frame; grows by rt_frame_new when needed. On any
 * error nothing is left in `out`. On success `out` is a new frame with codec, flags (KEY, DISCARDABLE), layers,
 * size and picture size set. H.264 and H.265: a fragment without its beginning or end is malformed. */
rt_status rt_payload_assemble(const rt_payload_format *format, const rt_span *payloads, size_t count, rt_frame **out);

/* RED (RFC 2198): the blocks of a payload, oldest redundancy first, the primary one last. Returns how many, or 0
 * when it is malformed or has more than `max`. */
typedef struct rt_red_block {
    uint8_t payload_type;
    uint16_t timestamp_offset; /* before the packet's; 0 for the primary block */
    rt_span data;
} rt_red_block;
size_t rt_red_read(rt_span payload, rt_red_block *out, size_t max);
rt_status rt_red_write(rt_writer *out, const rt_red_block *blocks, size_t count);

/* telephone-event (RFC 4733 section 2.3). */
typedef struct rt_telephone_event {
    uint8_t event; /* 0..9, 10 '*', 11 '#', 12..15 A..D, 16 flash */
    bool end;
    uint8_t volume;    /* -dBm0 */
    uint16_t duration; /* clock units */
} rt_telephone_event;
rt_status rt_telephone_event_read(rt_span payload, rt_telephone_event *out);
void rt_telephone_event_write(rt_writer *out, const rt_telephone_event *event);

/* Samples at 48 kHz in an Opus packet (RFC 6716 section 3.1); 0: malformed. */
uint32_t rt_opus_duration(rt_span packet);

#endif
