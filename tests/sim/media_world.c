#include "media_world.h"

#include "srtp_fake.h"
#include "wire/rtp.h"

enum { VP8_HEADER = 10, STAMP = 16, AUDIO_SAMPLES = 960, OPUS_TOC = 0x08 /* SILK, 20 ms */ };

rt_rtp_text media_text(const char *text)
{
    rt_rtp_text out = {.size = (uint8_t)strlen(text)};
    memcpy(out.data, text, out.size);
    return out;
}

/* ---- life ---- */

media_world *media_world_configured(uint64_t seed, const rt_media_config *given)
{
    media_world *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->seed = seed;
    w->now = RT_SECONDS(100);
    w->network = net_new(seed);
    uint8_t material[4 * RT_SRTP_KEYS_MAX], keys[RT_SRTP_KEYS_MAX];
    size_t size = srtp_fake_material(material);
    for (int i = 0; i < 2; i++) {
        media_end *end = &w->ends[i];
        end->w = w;
        end->node = net_node(w->network);
        rt_random_init_number(&end->random, seed * 2 + (uint64_t)i);
        rt_media_config config = *given;
        config.random = &end->random;
        config.srtp = srtp_fake();
        config.ntp_offset = 3900000000000000000u + (uint64_t)i * 7000000000u; /* clocks that do not agree */
        snprintf(config.cname, sizeof config.cname, "end-%d", i);
        end->media = rt_media_new(&config, w->now);
        CHECK(end->media != NULL);
        rt_srtp_config srtp;
        rt_srtp_config_default(&srtp);
        srtp.library = srtp_fake();
        srtp.profile = SRTP_FAKE_PROFILE;
        srtp.keys = rt_span_of(keys, rt_srtp_split(SRTP_FAKE_PROFILE, rt_span_of(material, size), i == 0, keys));
        srtp.outbound = true;
        srtp.max_streams = 100000;
        CHECK_EQ(rt_srtp_new(&srtp, &w->forger[i]), RT_OK);
    }
    net_set_both(w->network, w->ends[0].node, w->ends[1].node, &(net_path){.delay = RT_MS(10)});
    return w;
}

media_world *media_world_new(uint64_t seed)
{
    rt_media_config config;
    rt_media_config_default(&config);
    return media_world_configured(seed, &config);
}

void media_world_free(media_world *w)
{
    for (int i = 0; i < 2; i++) {
        rt_media_free(w->ends[i].media);
        rt_srtp_free(w->forger[i]);
    }
    net_free(w->network);
    free(w);
}

void media_world_path(media_world *w, const net_path *path)
{
    net_set_both(w->network, w->ends[0].node, w->ends[1].node, path);
}

void media_world_start(media_world *w)
{
    uint8_t material[4 * RT_SRTP_KEYS_MAX];
    size_t size = srtp_fake_material(material);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rt_media_start(w->ends[i].media, SRTP_FAKE_PROFILE, rt_span_of(material, size), i == 0, w->now),
                 RT_OK);
    media_world_flush(w);
}

/* ---- sections ---- */

static void map_extensions(rt_rtp_extension_map *map, bool video)
{
    *map = (rt_rtp_extension_map){0};
    CHECK_EQ(rt_rtp_extension_map_set(map, RT_RTP_MID, 4), RT_OK);
    CHECK_EQ(rt_rtp_extension_map_set(map, RT_RTP_ABS_SEND_TIME, 2), RT_OK);
    CHECK_EQ(rt_rtp_extension_map_set(map, RT_RTP_TRANSPORT_SEQUENCE, 3), RT_OK);
    if (!video)
        return;
    CHECK_EQ(rt_rtp_extension_map_set(map, RT_RTP_RID, 10), RT_OK);
    CHECK_EQ(rt_rtp_extension_map_set(map, RT_RTP_REPAIRED_RID, 11), RT_OK);
}

void media_end_set(media_world *w, int which, uint8_t section)
{
    media_end *end = &w->ends[which];
    CHECK_EQ(rt_media_set_section(end->media, section, &end->sections[section], w->now), RT_OK);
}

static void describe(media_world *w, int which, uint8_t number, bool sends, uint8_t layers)
{
    media_end *end = &w->ends[which];
    rt_media_section *section = &end->sections[number];
    bool video = number == MEDIA_VIDEO;
    *section = (rt_media_section){.mid = media_text(video ? "v" : "a"),
                                  .video = video,
                                  .receive = !sends,
                                  .send = sends,
                                  .reduced_size = true,
                                  .max_delay = RT_SECONDS(2)};
    map_extensions(&section->extensions, video);
    rt_media_format *format = end->formats[number];
    format[0] = video ? (rt_media_format){.payload_type = MEDIA_VP8,
                                          .rtx_payload_type = MEDIA_VP8_RTX,
                                          .nack = true,
                                          .pli = true,
                                          .fir = true,
                                          .twcc = true,
                                          .payload = {.codec = RT_CODEC_VP8, .clock_rate = 90000}}
                      : (rt_media_format){.payload_type = MEDIA_OPUS,
                                          .rtx_payload_type = RT_MEDIA_NO_FORMAT,
                                          .twcc = true,
                                          .payload = {.codec = RT_CODEC_OPUS, .clock_rate = 48000, .channels = 2}};
    section->formats = format;
    section->format_count = 1;
    section->send_format.payload.codec = RT_CODEC_NONE;
    static const char *const rids[] = {"q", "h", "f", "x"};
    for (uint8_t i = 0; i < layers; i++) {
        uint32_t ssrc = 1000u * (number + 1u) + i;
        rt_rtp_text rid = layers > 1 ? media_text(rids[i]) : (rt_rtp_text){0};
        end->encodings[number][i] =
            (rt_media_encoding){.ssrc = ssrc, .rtx_ssrc = video ? ssrc + 100 : 0, .rid = rid, .active = true};
        end->told[number][i] = (rt_media_source){.ssrc = ssrc, .rtx_ssrc = video ? ssrc + 100 : 0};
        end->rids[i] = rid;
    }
    if (sends) {
        section->send_format = format[0];
        section->encodings = end->encodings[number];
        section->encoding_count = layers;
    } else if (layers > 1) {
        section->rids = end->rids;
        section->rid_count = layers;
    } else {
        section->sources = end->told[number];
        section->source_count = layers;
    }
    media_end_set(w, which, number);
}

void media_world_audio(media_world *w, int sender)
{
    describe(w, sender, MEDIA_AUDIO, true, 1);
    describe(w, 1 - sender, MEDIA_AUDIO, false, 1);
    w->ends[sender].sources[MEDIA_AUDIO][0] =
        (media_source){.runs = true, .interval = RT_MS(20), .next = w->now, .bitrate = 32000};
}

void media_world_video(media_world *w, int sender, uint8_t layers)
{
    describe(w, sender, MEDIA_VIDEO, true, layers);
    describe(w, 1 - sender, MEDIA_VIDEO, false, layers);
    for (uint8_t i = 0; i < layers; i++)
        w->ends[sender].sources[MEDIA_VIDEO][i] = (media_source){.runs = true,
                                                                 .video = true,
                                                                 .interval = RT_SECONDS(1) / 30,
                                                                 .next = w->now,
                                                                 .bitrate = 300000u << i,
                                                                 .key_wanted = true};
}

/* ---- encoders ---- */

static uint8_t pattern(uint64_t number, size_t at)
{
    return (uint8_t)((number * 0x9E3779B97F4A7C15u >> 32) + at * 31);
}

static size_t make_video(uint8_t *data, size_t size, bool key, uint64_t number, rt_time now)
{
    static const uint8_t start[] = {0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01}; /* VP8: 640 x 480 */
    memset(data, 0, VP8_HEADER);
    data[0] = key ? 0x10 : 0x11;
    if (key)
        memcpy(data + 3, start, sizeof start);
    rt_store64(data + VP8_HEADER, number);
    rt_store64(data + VP8_HEADER + 8, (uint64_t)now);
    for (size_t i = VP8_HEADER + STAMP; i < size; i++)
        data[i] = pattern(number, i);
    return size;
}

static void encode(media_end *end, uint8_t section, uint8_t layer, media_source *source)
{
    static uint8_t data[1 << 17];
    media_world *w = end->w;
    rt_frame frame = {.codec = source->video ? RT_CODEC_VP8 : RT_CODEC_OPUS,
                      .audio_level = RT_FRAME_NO_LEVEL,
                      .timestamp = source->timestamp,
                      .duration = source->video ? 0 : AUDIO_SAMPLES};
    size_t size = (size_t)(source->bitrate * (uint64_t)source->interval / 8000000000u);
    bool key = source->video && source->key_wanted;
    if (source->video) {
        size = key ? size * 4 : size;
        size = size < 64 ? 64 : size > sizeof data ? sizeof data : size;
        frame.flags = key ? RT_FRAME_KEY : 0;
        make_video(data, size, key, source->number, w->now);
    } else {
        data[0] = OPUS_TOC;
        memset(data + 1, (int)source->number & 0xFF, size);
        rt_store64(data + 1, (uint64_t)w->now);
    }
    source->timestamp += source->video ? 3000 : AUDIO_SAMPLES;
    rt_status status = rt_media_send(end->media, section, layer, &frame, rt_span_of(data, size), w->now, w->now);
    if (status != RT_OK) {
        CHECK_EQ(status, RT_CLOSED);
        source->refused++;
        return;
    }
    source->number++;
    source->sent++;
    source->bytes += size;
    source->keys += key;
    source->key_wanted = source->key_wanted && !key;
}

static rt_time source_deadline(const media_end *end)
{
    rt_time deadline = RT_NEVER;
    for (int section = 0; section < MEDIA_SECTIONS; section++) {
        for (int layer = 0; layer < MEDIA_LAYERS; layer++) {
            if (end->sources[section][layer].runs)
                deadline = rt_time_min(deadline, end->sources[section][layer].next);
        }
    }
    return deadline;
}

static void run_sources(media_end *end)
{
    for (uint8_t section = 0; section < MEDIA_SECTIONS; section++) {
        for (uint8_t layer = 0; layer < MEDIA_LAYERS; layer++) {
            media_source *source = &end->sources[section][layer];
            if (!source->runs || source->next > end->w->now)
                continue;
            source->next += source->interval;
            if (source->bitrate)
                encode(end, section, layer, source);
        }
    }
}

/* ---- decoders ---- */

static void decode_video(media_world *w, media_sink *sink, const rt_frame *frame)
{
    const uint8_t *data = frame->data;
    bool key = frame->flags & RT_FRAME_KEY;
    if (frame->size < 64) {
        sink->broken++;
        return;
    }
    uint64_t number = rt_load64(data + VP8_HEADER);
    rt_time delay = w->now - (rt_time)rt_load64(data + VP8_HEADER + 8);
    bool same = key == !(data[0] & 1);
    for (size_t i = VP8_HEADER + STAMP; i < frame->size && same; i++)
        same = data[i] == pattern(number, i);
    sink->broken += !same || (sink->frames && number <= sink->last);
    sink->undecodable += !key && (sink->frames == 0 || number != sink->last + 1);
    sink->keys += key;
    sink->recovered += (frame->flags & RT_FRAME_RECOVERED) != 0;
    sink->last = number;
    sink->delay += delay;
    sink->delay_max = rt_time_max(sink->delay_max, delay);
}

static void decode(media_end *end, const rt_media_event *event)
{
    const rt_frame *frame = event->frame;
    CHECK(event->section < MEDIA_SECTIONS && event->encoding < MEDIA_LAYERS);
    CHECK_EQ(frame->section, event->section);
    CHECK_EQ(frame->encoding, event->encoding);
    media_sink *sink = &end->sinks[event->section][event->encoding];
    if (frame->flags & RT_FRAME_LOST) {
        sink->lost++;
        sink->samples += frame->duration;
        return;
    }
    if (event->section == MEDIA_VIDEO) {
        decode_video(end->w, sink, frame);
    } else {
        rt_time delay = frame->size > 8 ? end->w->now - (rt_time)rt_load64(frame->data + 1) : 0;
        sink->broken += sink->frames && frame->timestamp < sink->next_timestamp;
        sink->next_timestamp = frame->timestamp + frame->duration;
        sink->samples += frame->duration;
        sink->delay += delay;
        sink->delay_max = rt_time_max(sink->delay_max, delay);
    }
    sink->frames++;
    sink->bytes += frame->size;
}

static void hear(media_end *end)
{
    rt_media_event event;
    while (!end->stopped && rt_media_event_next(end->media, &event, end->w->now)) {
        media_source *source = event.section < MEDIA_SECTIONS && event.encoding < MEDIA_LAYERS
                                   ? &end->sources[event.section][event.encoding]
                                   : NULL;
        switch (event.type) {
        case RT_MEDIA_EVENT_FRAME:
            decode(end, &event);
            rt_frame_unref(event.frame);
            break;
        case RT_MEDIA_EVENT_STREAM:
            end->streams++;
            end->ssrc = event.ssrc;
            break;
        case RT_MEDIA_EVENT_ENDED: end->ended++; break;
        case RT_MEDIA_EVENT_KEY_FRAME:
            end->key_requests++;
            source->key_wanted = true;
            break;
        case RT_MEDIA_EVENT_BITRATE:
            end->bitrates++;
            if (source->follows)
                source->bitrate = event.bitrate;
            break;
        case RT_MEDIA_EVENT_DROPPED: end->dropped += event.count; break;
        }
    }
}

/* ---- the machine ---- */

static void flush(media_world *w, int which)
{
    media_end *end = &w->ends[which];
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(w->memory, sizeof w->memory), w->packets, MEDIA_BATCH);
    for (;;) {
        hear(end);
        rt_batch_reset(&batch);
        size_t count = rt_media_transmit(end->media, &batch, w->now);
        CHECK_EQ(count, batch.count);
        if (count == 0)
            break;
        for (uint32_t i = 0; i < batch.count; i++) {
            rt_span packet = rt_span_of(batch.packets[i].data, batch.packets[i].size);
            CHECK(packet.size <= 1200);
            end->packets++;
            end->datagram_bytes += packet.size;
            if (!w->filter || w->filter(w, which, packet))
                net_send_to(w->network, end->node, w->ends[1 - which].node, packet, w->now);
        }
    }
}

void media_world_flush(media_world *w)
{
    flush(w, 0);
    flush(w, 1);
}

static void turn(media_world *w)
{
    bool due[2] = {false, false};
    for (net_packet *packet; (packet = net_deliver(w->network, w->now)) != NULL;) {
        int which = packet->node == w->ends[1].node;
        (void)rt_media_receive(w->ends[which].media, rt_buffer_of(packet->data, packet->size), w->now);
        due[which] = true;
    }
    for (int i = 0; i < 2; i++) {
        media_end *end = &w->ends[i];
        if (source_deadline(end) <= w->now) {
            run_sources(end);
            due[i] = true;
        }
        if (rt_media_deadline(end->media) <= w->now) {
            rt_media_expire(end->media, w->now);
            due[i] = true;
        }
        if (due[i])
            flush(w, i);
        if (!end->stopped && rt_media_deadline(end->media) <= w->now) {
            fprintf(stderr, "seed %" PRIu64 ": end %d would spin at %" PRId64 "\n", w->seed, i, w->now);
            exit(1);
        }
    }
    w->steps++;
}

void media_world_run(media_world *w, rt_time span)
{
    rt_time until = w->now + span;
    media_world_flush(w);
    for (;;) {
        rt_time next = net_next_time(w->network);
        for (int i = 0; i < 2; i++) {
            next = rt_time_min(next, rt_media_deadline(w->ends[i].media));
            next = rt_time_min(next, source_deadline(&w->ends[i]));
        }
        if (next > until)
            break;
        w->now = rt_time_max(w->now, next);
        turn(w);
    }
    w->now = until;
}

rt_status media_world_forge(media_world *w, int end, rt_span plain)
{
    uint8_t memory[2048 + RT_SRTP_TRAILER];
    CHECK(plain.size <= 2048);
    memcpy(memory, plain.data, plain.size);
    size_t size = plain.size;
    rt_srtp *forger = w->forger[1 - end];
    rt_status status = rt_is_rtcp(plain) ? rt_srtp_protect_rtcp(forger, memory, &size, sizeof memory)
                                         : rt_srtp_protect(forger, memory, &size, sizeof memory);
    CHECK_EQ(status, RT_OK);
    return rt_media_receive(w->ends[end].media, rt_buffer_of(memory, size), w->now);
}

void media_world_print(const media_world *w, const char *what)
{
    printf("%s, seed %" PRIu64 ":\n", what, w->seed);
    for (int i = 0; i < 2; i++) {
        for (int section = 0; section < MEDIA_SECTIONS; section++) {
            for (int layer = 0; layer < MEDIA_LAYERS; layer++) {
                const media_source *source = &w->ends[i].sources[section][layer];
                const media_sink *sink = &w->ends[1 - i].sinks[section][layer];
                if (!source->sent && !sink->frames)
                    continue;
                printf("  %d -> %d section %d.%d: %" PRIu64 " sent (%" PRIu64 " key), %" PRIu64 " came (%" PRIu64
                       " recovered), %" PRIu64 " lost, delay %.1f ms, at most %.1f ms, %" PRIu64 " bit/s\n",
                       i, 1 - i, section, layer, source->sent, source->keys, sink->frames, sink->recovered, sink->lost,
                       sink->frames ? (double)sink->delay / (double)sink->frames / 1e6 : 0.0,
                       (double)sink->delay_max / 1e6, source->bitrate);
            }
        }
    }
}
