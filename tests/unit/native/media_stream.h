/* Packets of made-up streams, for the tests of the receiving side: VP8 with picture ids and temporal layers, H.264
 * without any, Opus. Every frame's bytes tell its number, so that what comes out can be told from what went in.
 */
#ifndef RT_TESTS_MEDIA_STREAM_H
#define RT_TESTS_MEDIA_STREAM_H

#include "proto/receiver.h"

enum { STREAM_VP8 = 96, STREAM_H264 = 97, STREAM_OPUS = 111, STREAM_RED = 63, STREAM_EVENT = 110, STREAM_ROOM = 1400 };

typedef struct stream_packet {
    rt_rtp rtp;
    uint32_t frame; /* number of its frame */
    bool key;
    uint8_t temporal;
    rt_time sent;
    uint8_t data[STREAM_ROOM];
} stream_packet;

typedef struct stream {
    uint8_t payload_type;
    uint16_t sequence;
    uint32_t timestamp;
    uint32_t frame; /* number of the next one */
    uint16_t picture_id;
    uint8_t tl0;
    uint8_t layers; /* temporal, VP8: 1 to 3 */
} stream;

extern const rt_receiver_format stream_formats[];
extern const size_t stream_format_count;

/* The packets of the next video frame, `count` of them with `size` bytes of payload, into `out`; `step`: timestamp
 * units to the frame after it. */
void stream_video(stream *s, bool key, size_t count, size_t size, uint32_t step, stream_packet *out);
/* One Opus packet of 20 ms, SILK (which may have in-band FEC), `size` at least 5 bytes. */
void stream_audio(stream *s, size_t size, stream_packet *out);
/* The number that a frame's bytes tell. */
uint32_t stream_frame_number(const rt_frame *frame);

/* A receiver with all formats above. */
rt_receiver *stream_receiver(bool video, rt_receiver_config *changes);
rt_status stream_receive(rt_receiver *receiver, const stream_packet *packet, bool recovered, rt_time now);

#endif
