/* What is negotiated: what is refused, what changes while streams go on, what the payload of a packet may be. */
#include "media_forge.h"

static media_world *call(void)
{
    media_world *w = media_world_new(1);
    media_world_audio(w, 0);
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(1));
    return w;
}

static rt_status set(media_world *w, uint8_t section, const rt_media_section *config)
{
    return rt_media_set_section(w->ends[0].media, section, config, w->now);
}

static void test_what_contradicts_is_refused(void)
{
    media_world *w = call();
    rt_media_section video = w->ends[0].sections[MEDIA_VIDEO], other = video;
    CHECK_EQ(set(w, 5, &other), RT_EXISTS); /* MID */
    other.mid = media_text("other");
    CHECK_EQ(set(w, 5, &other), RT_EXISTS); /* SSRC */
    rt_media_encoding encodings[2] = {{.ssrc = 77, .rtx_ssrc = 2000}, {.ssrc = 78}};
    other.encodings = encodings;
    CHECK_EQ(set(w, 5, &other), RT_EXISTS); /* as RTX */
    encodings[0].rtx_ssrc = 78;
    other.encoding_count = 2;
    CHECK_EQ(set(w, 5, &other), RT_EXISTS); /* among themselves */
    encodings[0].rtx_ssrc = 0;
    CHECK_EQ(set(w, 5, &other), RT_OK);
    CHECK_EQ(set(w, MEDIA_VIDEO, &video), RT_OK); /* its own are no contradiction */
    media_world_free(w);
}

/* The other end's SSRC moves to another section: where it was must let it go first. */
static void test_a_source_moves(void)
{
    media_world *w = call();
    rt_media *media = w->ends[1].media;
    rt_media_section video = w->ends[1].sections[MEDIA_VIDEO], other = video;
    other.mid = media_text("other");
    CHECK_EQ(rt_media_set_section(media, 5, &other, w->now), RT_EXISTS);
    video.source_count = 0;
    CHECK_EQ(rt_media_set_section(media, MEDIA_VIDEO, &video, w->now), RT_OK);
    CHECK_EQ(rt_media_set_section(media, 5, &other, w->now), RT_OK);
    video.source_count = 1;
    CHECK_EQ(rt_media_set_section(media, MEDIA_VIDEO, &video, w->now), RT_EXISTS);
    media_world_free(w);
}

static void test_what_is_out_of_range_is_refused(void)
{
    media_world *w = call();
    rt_media_section section = w->ends[0].sections[MEDIA_VIDEO];
    static const uint8_t types[] = {64, 72, 95, 128, 255};
    for (size_t i = 0; i < sizeof types; i++) {
        section.send_format.payload_type = types[i];
        CHECK_EQ(set(w, MEDIA_VIDEO, &section), RT_INVALID);
    }
    section.send_format = w->ends[0].formats[MEDIA_VIDEO][0];
    section.send_format.payload.codec = RT_CODEC_OPUS; /* in a section of video */
    CHECK_EQ(set(w, MEDIA_VIDEO, &section), RT_INVALID);
    section.send_format.payload.codec = RT_CODEC_VP8;
    rt_media_format twice[2] = {section.send_format, section.send_format};
    section.formats = twice;
    section.format_count = 2;
    CHECK_EQ(set(w, MEDIA_VIDEO, &section), RT_INVALID);
    twice[1].payload_type = MEDIA_VP8_RTX; /* which is the first one's RTX */
    CHECK_EQ(set(w, MEDIA_VIDEO, &section), RT_INVALID);
    section.format_count = 1;
    section.max_delay = -1;
    CHECK_EQ(set(w, MEDIA_VIDEO, &section), RT_INVALID);
    section.max_delay = 0;
    section.encodings = &(rt_media_encoding){.ssrc = 0};
    CHECK_EQ(set(w, MEDIA_VIDEO, &section), RT_INVALID);
    media_world_free(w);
}

static void test_commands_to_what_is_not_there(void)
{
    media_world *w = call();
    rt_media *media = w->ends[0].media;
    rt_frame frame = {.codec = RT_CODEC_VP8, .flags = RT_FRAME_KEY, .audio_level = RT_FRAME_NO_LEVEL};
    rt_span data = rt_span_text("0123456789abcdef");
    CHECK_EQ(rt_media_send(media, 9, 0, &frame, data, w->now, w->now), RT_NOT_FOUND);
    CHECK_EQ(rt_media_send(media, MEDIA_VIDEO, 1, &frame, data, w->now, w->now), RT_NOT_FOUND);
    CHECK_EQ(rt_media_send(media, MEDIA_AUDIO, 0, &frame, data, w->now, w->now), RT_INVALID); /* VP8 as Opus */
    CHECK_EQ(rt_media_send(w->ends[1].media, MEDIA_VIDEO, 0, &frame, data, w->now, w->now), RT_NOT_FOUND);
    CHECK_EQ(rt_media_set_encoding(media, MEDIA_VIDEO, 3, true, 0, w->now), RT_NOT_FOUND);
    CHECK_EQ(rt_media_set_delay(media, 9, 0, 0), RT_NOT_FOUND);
    CHECK_EQ(rt_media_set_delay(media, MEDIA_VIDEO, RT_MS(2), RT_MS(1)), RT_INVALID);
    CHECK_EQ(rt_media_request_key_frame(media, 9, 0, w->now), RT_NOT_FOUND);
    rt_media_remove_section(media, 9, w->now);
    rt_media_frames_waiting(media, 9, 1);
    media_world_free(w);
}

static void test_streams_go_on_through_a_renegotiation(void)
{
    media_world *w = call();
    for (int i = 0; i < 10; i++) {
        for (int end = 0; end < 2; end++) {
            media_end_set(w, end, MEDIA_AUDIO);
            media_end_set(w, end, MEDIA_VIDEO);
        }
        media_world_run(w, RT_MS(200));
    }
    CHECK_EQ(w->ends[1].streams, 2);
    CHECK_EQ(w->ends[1].ended, 0);
    CHECK_EQ(w->ends[0].sources[MEDIA_VIDEO][0].keys, 1);
    CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames >= 85);
    CHECK_EQ(w->ends[1].sinks[MEDIA_VIDEO][0].undecodable, 0);
    media_world_free(w);
}

/* The payload types change under a stream that goes on (another codec was preferred meanwhile). */
static void test_payload_types_change(void)
{
    media_world *w = call();
    for (int end = 0; end < 2; end++) {
        rt_media_format *format = &w->ends[end].formats[MEDIA_VIDEO][0];
        format->payload_type = 45;
        format->rtx_payload_type = 46;
        w->ends[end].sections[MEDIA_VIDEO].send_format = end == 0 ? *format : (rt_media_format){0};
    }
    media_end_set(w, 1, MEDIA_VIDEO);
    media_end_set(w, 0, MEDIA_VIDEO);
    uint64_t before = w->ends[1].sinks[MEDIA_VIDEO][0].frames;
    media_world_run(w, RT_SECONDS(2));
    CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames > before + 50);
    CHECK_EQ(w->ends[1].streams, 2);
    media_world_free(w);
}

/* RTX goes and comes again: the stream is the same, and so are its numbers, which SRTP lets no one begin anew. */
static void test_rtx_comes_and_goes(void)
{
    media_world *w = call();
    rt_media_stats stats;
    for (int i = 0; i < 6; i++) {
        bool repaired = i & 1;
        for (int end = 0; end < 2; end++) {
            rt_media_format *format = &w->ends[end].formats[MEDIA_VIDEO][0];
            format->rtx_payload_type = repaired ? MEDIA_VP8_RTX : RT_MEDIA_NO_FORMAT;
            w->ends[end].sections[MEDIA_VIDEO].send_format = end == 0 ? *format : (rt_media_format){0};
        }
        w->ends[0].encodings[MEDIA_VIDEO][0].rtx_ssrc = repaired ? 2001 : 0;
        uint64_t before = w->ends[1].sinks[MEDIA_VIDEO][0].frames;
        media_end_set(w, 1, MEDIA_VIDEO);
        media_end_set(w, 0, MEDIA_VIDEO);
        media_world_run(w, RT_SECONDS(1));
        CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames >= before + 25);
        rt_media_get_stats(w->ends[0].media, &stats);
        CHECK_EQ(stats.unprotected, 0);
    }
    CHECK_EQ(w->ends[1].streams, 2);
    CHECK_EQ(w->ends[1].ended, 0);
    CHECK_EQ(w->ends[0].sources[MEDIA_VIDEO][0].keys, 1);
    media_world_free(w);
}

static void test_directions(void)
{
    media_world *w = call();
    w->ends[0].sections[MEDIA_VIDEO].send = false;
    media_end_set(w, 0, MEDIA_VIDEO);
    uint64_t before = w->ends[1].sinks[MEDIA_VIDEO][0].frames;
    media_world_run(w, RT_SECONDS(1));
    CHECK(w->ends[0].sources[MEDIA_VIDEO][0].refused > 25);
    CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames <= before + 2);
    uint32_t requests = w->ends[0].key_requests;
    w->ends[0].sections[MEDIA_VIDEO].send = true;
    media_end_set(w, 0, MEDIA_VIDEO);
    media_world_run(w, RT_SECONDS(1));
    CHECK_EQ(w->ends[0].key_requests, requests + 1); /* whoever sees it again needs one */
    CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames >= before + 25);
    CHECK_EQ(w->ends[1].sinks[MEDIA_VIDEO][0].undecodable, 0);
    media_world_free(w);
}

static uint64_t video_packets(media_world *w)
{
    rt_media_stream stream;
    uint64_t packets = 0;
    for (size_t at = 0; rt_media_stream_next(w->ends[0].media, &at, &stream, w->now);) {
        if (!stream.inbound && stream.section == MEDIA_VIDEO)
            packets += stream.sender.packets;
    }
    return packets;
}

/* Held without a format, as where neither direction was agreed on: the stream is the same afterwards, and numbers its
 * packets on. */
static void test_a_stream_without_a_format(void)
{
    media_world *w = call();
    rt_media_section *section = &w->ends[0].sections[MEDIA_VIDEO], before = *section;
    rt_media_encoding *encoding = &w->ends[0].encodings[MEDIA_VIDEO][0];
    uint32_t rtx_ssrc = encoding->rtx_ssrc;
    uint64_t packets = video_packets(w);
    CHECK(packets > 10);
    section->send = false;
    section->send_format = (rt_media_format){0};
    encoding->rtx_ssrc = 0;
    media_end_set(w, 0, MEDIA_VIDEO);
    media_world_run(w, RT_SECONDS(1));
    *section = before;
    encoding->rtx_ssrc = rtx_ssrc;
    media_end_set(w, 0, MEDIA_VIDEO);
    uint64_t frames = w->ends[1].sinks[MEDIA_VIDEO][0].frames;
    media_world_run(w, RT_SECONDS(1));
    CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames > frames + 20);
    CHECK(video_packets(w) > packets + 20);
    CHECK_EQ(w->ends[1].streams, 2);
    media_world_free(w);
}

static void test_a_section_is_recycled(void)
{
    media_world *w = call();
    w->ends[0].sources[MEDIA_VIDEO][0].bitrate = 0;
    media_world_run(w, RT_MS(100)); /* nothing of the old stream is under way */
    for (int end = 0; end < 2; end++)
        w->ends[end].sections[MEDIA_VIDEO].mid = media_text("new");
    w->ends[0].encodings[MEDIA_VIDEO][0].ssrc = w->ends[1].told[MEDIA_VIDEO][0].ssrc = 3000;
    w->ends[0].encodings[MEDIA_VIDEO][0].rtx_ssrc = w->ends[1].told[MEDIA_VIDEO][0].rtx_ssrc = 3001;
    media_end_set(w, 1, MEDIA_VIDEO);
    media_end_set(w, 0, MEDIA_VIDEO);
    w->ends[0].sources[MEDIA_VIDEO][0].bitrate = 300000;
    w->ends[0].sources[MEDIA_VIDEO][0].key_wanted = true;
    media_world_run(w, RT_SECONDS(1));
    CHECK_EQ(w->ends[1].ended, 1);
    CHECK_EQ(w->ends[1].streams, 3);
    CHECK_EQ(w->ends[1].ssrc, 3000);
    CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames > 50);
    media_world_free(w);
}

static void test_an_encoding_pauses(void)
{
    media_world *w = call();
    CHECK_EQ(rt_media_set_encoding(w->ends[0].media, MEDIA_VIDEO, 0, false, 0, w->now), RT_OK);
    uint64_t refused = w->ends[0].sources[MEDIA_VIDEO][0].refused;
    media_world_run(w, RT_SECONDS(1));
    CHECK(w->ends[0].sources[MEDIA_VIDEO][0].refused >= refused + 29);
    CHECK_EQ(rt_media_set_encoding(w->ends[0].media, MEDIA_VIDEO, 0, true, 123000, w->now), RT_OK);
    w->ends[0].sources[MEDIA_VIDEO][0].follows = true;
    media_world_run(w, RT_SECONDS(1));
    CHECK_EQ(w->ends[0].sources[MEDIA_VIDEO][0].bitrate, 123000);
    media_world_free(w);
}

/* Audio has what it needs, video shares the rest. */
static void test_the_target_is_shared_out(void)
{
    media_world *w = call();
    w->ends[0].sources[MEDIA_AUDIO][0].follows = w->ends[0].sources[MEDIA_VIDEO][0].follows = true;
    CHECK_EQ(rt_media_set_encoding(w->ends[0].media, MEDIA_AUDIO, 0, true, 40000, w->now), RT_OK);
    rt_media_set_bitrate(w->ends[0].media, 30000, 500000, 500000, w->now);
    media_world_flush(w);
    CHECK_EQ(w->ends[0].sources[MEDIA_AUDIO][0].bitrate, 40000);
    uint64_t video = w->ends[0].sources[MEDIA_VIDEO][0].bitrate;
    CHECK(video > 400000 && video < 460000);
    rt_media_set_bitrate(w->ends[0].media, 30000, 50000, 50000, w->now);
    media_world_flush(w);
    CHECK_EQ(w->ends[0].sources[MEDIA_AUDIO][0].bitrate, 25000); /* no more than half */
    CHECK(w->ends[0].sources[MEDIA_VIDEO][0].bitrate > 5000);
    media_world_free(w);
}

/* Whatever the extensions, packets of the largest payload stay within the MTU, and come close to it. */
static void test_the_largest_payload(void)
{
    for (uint32_t mtu = 576; mtu <= 1400; mtu += 206) {
        rt_media_config config;
        rt_media_config_default(&config);
        config.mtu = mtu > 1200 ? 1200 : mtu;
        media_world *w = media_world_configured(1, &config);
        media_world_video(w, 0, 1);
        w->ends[0].sources[MEDIA_VIDEO][0].bitrate = 2000000;
        media_world_start(w);
        media_world_run(w, RT_SECONDS(1));
        size_t most = rt_media_max_payload(w->ends[0].media, MEDIA_VIDEO);
        CHECK(most < config.mtu - 12 - 16 && most > config.mtu - 120);
        CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames > 20);
        CHECK(rt_media_max_payload(w->ends[0].media, 77) < config.mtu);
        media_world_free(w);
    }
}

static void test_what_cannot_be_made(void)
{
    rt_media_config config;
    rt_random random;
    rt_random_init_number(&random, 1);
    rt_media_config_default(&config);
    config.random = &random;
    CHECK(rt_media_new(&config, 0) == NULL); /* no library */
    media_world *w = media_world_new(1);
    uint8_t material[200] = {0};
    rt_media *media = w->ends[0].media;
    CHECK_EQ(rt_media_start(media, (rt_srtp_profile)99, rt_span_of(material, 56), true, w->now), RT_UNSUPPORTED);
    CHECK_EQ(rt_media_start(media, RT_SRTP_AEAD_AES_128_GCM, rt_span_of(material, 55), true, w->now), RT_INVALID);
    media_world_start(w);
    CHECK_EQ(rt_media_start(media, RT_SRTP_AEAD_AES_128_GCM, rt_span_of(material, 56), true, w->now), RT_EXISTS);
    rt_media_free(NULL);
    media_world_free(w);
}

int main(int argc, char **argv)
{
    RUN(test_what_contradicts_is_refused);
    RUN(test_a_source_moves);
    RUN(test_what_is_out_of_range_is_refused);
    RUN(test_commands_to_what_is_not_there);
    RUN(test_streams_go_on_through_a_renegotiation);
    RUN(test_payload_types_change);
    RUN(test_rtx_comes_and_goes);
    RUN(test_directions);
    RUN(test_a_stream_without_a_format);
    RUN(test_a_section_is_recycled);
    RUN(test_an_encoding_pauses);
    RUN(test_the_target_is_shared_out);
    RUN(test_the_largest_payload);
    RUN(test_what_cannot_be_made);
    CHECK_MAIN_END;
}
