/* Two media machines on the virtual network, with encoders and decoders that only count: what the tests of the media
 * share. SRTP is the test table's (srtp_fake.h), keys are given, so there is neither ICE nor DTLS.
 *
 *     media_world *w = media_world_new(seed);
 *     media_world_audio(w, 0);                 end 0 sends, end 1 receives; sections as numbered below
 *     media_world_video(w, 0, 1);
 *     media_world_start(w);
 *     media_world_run(w, RT_SECONDS(10));
 *
 * Video frames carry a number and a pattern made of it. An end checks each that it gets: pattern, order, and that a
 * frame which is no key frame follows the one it was made after.
 */
#ifndef RT_SIM_MEDIA_WORLD_H
#define RT_SIM_MEDIA_WORLD_H

#include "check.h"
#include "net.h"
#include "peer/media.h"

enum {
    MEDIA_AUDIO = 0, /* sections */
    MEDIA_VIDEO = 1,
    MEDIA_SECTIONS = 4,
    MEDIA_LAYERS = 4,
    MEDIA_OPUS = 111, /* payload types */
    MEDIA_VP8 = 96,
    MEDIA_VP8_RTX = 97,
    MEDIA_BATCH = 64,
};

typedef struct media_source { /* an encoder */
    bool runs, video;
    rt_time interval, next;
    uint64_t bitrate; /* bit/s; 0: paused */
    bool follows;     /* BITRATE events */
    bool key_wanted;
    uint64_t number;
    int64_t timestamp;
    uint64_t sent, keys, refused, bytes;
} media_source;

typedef struct media_sink {                     /* a decoder */
    uint64_t frames, keys, lost, bytes, broken; /* broken: pattern or order */
    uint64_t undecodable, recovered;
    uint64_t last; /* number */
    rt_time delay; /* sum over the frames: capture to release */
    rt_time delay_max;
    uint64_t samples;
    int64_t next_timestamp; /* audio */
} media_sink;

typedef struct media_world media_world;

typedef struct media_end {
    media_world *w;
    rt_media *media;
    rt_random random;
    uint32_t node;
    rt_media_section sections[MEDIA_SECTIONS]; /* as told, for changes */
    rt_media_format formats[MEDIA_SECTIONS][2];
    rt_media_encoding encodings[MEDIA_SECTIONS][MEDIA_LAYERS];
    rt_media_source told[MEDIA_SECTIONS][MEDIA_LAYERS];
    rt_rtp_text rids[MEDIA_LAYERS];
    media_source sources[MEDIA_SECTIONS][MEDIA_LAYERS];
    media_sink sinks[MEDIA_SECTIONS][MEDIA_LAYERS];
    uint32_t streams, ended, key_requests, bitrates, dropped;
    uint64_t packets, datagram_bytes; /* sent */
    uint32_t ssrc;                    /* of the stream that began last */
    bool stopped;                     /* takes no events */
} media_end;

struct media_world {
    net *network;
    media_end ends[2];
    rt_time now;
    uint64_t seed, steps;
    rt_srtp *forger[2]; /* writes as end 0 or 1 would */
    /* Looks at each packet sent; false: it is lost. */
    bool (*filter)(media_world *w, int from, rt_span packet);
    void *context;
    uint8_t memory[MEDIA_BATCH * 1500];
    rt_packet packets[MEDIA_BATCH];
};

media_world *media_world_new(uint64_t seed);
media_world *media_world_configured(uint64_t seed, const rt_media_config *config);
void media_world_free(media_world *w);
void media_world_path(media_world *w, const net_path *path); /* both ways */

/* Sections of audio and video: `sender` sends, the other end receives. `layers` encodings; more than one: by RID. */
void media_world_audio(media_world *w, int sender);
void media_world_video(media_world *w, int sender, uint8_t layers);
/* The section as it stands in `sections` of the end. */
void media_end_set(media_world *w, int end, uint8_t section);
void media_world_start(media_world *w);

void media_world_flush(media_world *w);
void media_world_run(media_world *w, rt_time span);
/* A packet that the other end would have written, in plain: to `end`, at once. */
rt_status media_world_forge(media_world *w, int end, rt_span plain);

rt_rtp_text media_text(const char *text);
/* Sums over both directions and all sections, printed with the seed. */
void media_world_print(const media_world *w, const char *what);

#endif
