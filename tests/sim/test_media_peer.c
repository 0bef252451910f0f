/* Media on whole peers: ICE, DTLS with its exporter, SRTP, beside data channels, over the virtual network. */
#include "peer_world.h"

#include "srtp_fake.h"

enum { SECTION = 3, OPUS = 111, FRAMES = 100 };

static uint32_t frames[2];

static void hear_media(station *s, const rt_media_event *event)
{
    int which = s == &s->w->s[1];
    frames[which] += event->type == RT_MEDIA_EVENT_FRAME && !(event->frame->flags & RT_FRAME_LOST);
}

static void configure(rt_peer_config *config, uint16_t profile)
{
    rt_peer_config_default(config);
    config->dtls.srtp_profiles[0] = profile;
}

static rt_media_section audio_section(int which)
{
    static const rt_media_format format = {.payload_type = OPUS,
                                           .rtx_payload_type = RT_MEDIA_NO_FORMAT,
                                           .payload = {.codec = RT_CODEC_OPUS, .clock_rate = 48000, .channels = 2}};
    static const rt_media_encoding encodings[2] = {{.ssrc = 10, .active = true}, {.ssrc = 20, .active = true}};
    static const rt_media_source sources[2] = {{.ssrc = 20}, {.ssrc = 10}};
    return (rt_media_section){.mid = {.size = 1, .data = "0"},
                              .receive = true,
                              .send = true,
                              .max_delay = RT_SECONDS(1),
                              .formats = &format,
                              .format_count = 1,
                              .sources = &sources[which],
                              .source_count = 1,
                              .send_format = format,
                              .encodings = &encodings[which],
                              .encoding_count = 1};
}

static void start_media(world *w, int which)
{
    rt_media_config config;
    rt_media_config_default(&config);
    config.srtp = srtp_fake();
    CHECK_EQ(rt_peer_start_media(w->s[which].peer, &config, w->now), RT_OK);
    CHECK_EQ(rt_peer_start_media(w->s[which].peer, &config, w->now), RT_EXISTS);
    rt_media_section section = audio_section(which);
    CHECK_EQ(rt_media_set_section(rt_peer_media(w->s[which].peer), SECTION, &section, w->now), RT_OK);
    w->s[which].listen_media = hear_media;
    frames[which] = 0;
}

static void talk(world *w)
{
    for (int i = 0; i < FRAMES; i++) {
        for (int which = 0; which < 2; which++) {
            rt_frame frame = {
                .codec = RT_CODEC_OPUS, .audio_level = RT_FRAME_NO_LEVEL, .timestamp = 960 * i, .duration = 960};
            rt_media *media = rt_peer_media(w->s[which].peer);
            CHECK_EQ(rt_media_send(media, SECTION, 0, &frame, rt_span_text("\x08hello"), w->now, w->now), RT_OK);
        }
        world_run(w, w->now + RT_MS(20));
    }
}

static rt_media_stats stats_of(world *w, int which)
{
    rt_media_stats stats;
    rt_media_get_stats(rt_peer_media(w->s[which].peer), &stats);
    return stats;
}

static void test_each_profile(void)
{
    static const uint16_t profiles[] = {RT_SRTP_AEAD_AES_128_GCM, RT_SRTP_AEAD_AES_256_GCM, RT_SRTP_AES128_CM_SHA1_80,
                                        RT_SRTP_AES128_CM_SHA1_32};
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        rt_peer_config config;
        configure(&config, profiles[i]);
        world *w = world_new_configured(i + 1, &config);
        start_media(w, 0);
        start_media(w, 1);
        world_connect(w);
        CHECK_EQ(stats_of(w, 0).profile, profiles[i]);
        CHECK_EQ(stats_of(w, 1).profile, profiles[i]);
        talk(w);
        CHECK(frames[0] >= FRAMES - 3 && frames[1] >= FRAMES - 3);
        CHECK_EQ(stats_of(w, 0).unauthenticated + stats_of(w, 1).unauthenticated, 0);
        world_free(w);
    }
}

/* The first section of media is negotiated on a connection that has data channels already. */
static void test_media_joins_later(void)
{
    rt_peer_config config;
    configure(&config, RT_SRTP_AEAD_AES_128_GCM);
    world *w = world_new_configured(1, &config);
    world_connect(w);
    CHECK(rt_peer_media(w->s[0].peer) == NULL);
    start_media(w, 0);
    start_media(w, 1);
    talk(w);
    CHECK(frames[0] >= FRAMES - 3 && frames[1] >= FRAMES - 3);
    world_free(w);
}

/* No common profile: no media, and the data channels do not care. */
static void test_without_a_profile(void)
{
    rt_peer_config config;
    rt_peer_config_default(&config);
    world *w = world_new_configured(1, &config);
    start_media(w, 0);
    start_media(w, 1);
    world_connect(w);
    CHECK_EQ(stats_of(w, 0).profile, 0);
    rt_frame frame = {.codec = RT_CODEC_OPUS};
    CHECK_EQ(rt_media_send(rt_peer_media(w->s[0].peer), SECTION, 0, &frame, rt_span_text("x"), w->now, w->now),
             RT_CLOSED);
    world_free(w);
}

static void test_media_from_a_stranger(void)
{
    rt_peer_config config;
    configure(&config, RT_SRTP_AEAD_AES_128_GCM);
    world *w = world_new_configured(1, &config);
    start_media(w, 0);
    start_media(w, 1);
    world_connect(w);
    rt_addr stranger = {.ip = {9, 9, 9, 9}, .port = 9, .family = 4};
    uint8_t packet[40] = {0x80, OPUS};
    CHECK_EQ(rt_peer_receive(w->s[1].peer, 0, &stranger, rt_buffer_of(packet, sizeof packet), w->now), RT_UNEXPECTED);
    rt_peer_stats peer;
    rt_peer_get_stats(w->s[1].peer, &peer);
    CHECK_EQ(peer.foreign, 1);
    CHECK_EQ(rt_peer_receive(w->s[1].peer, 0, &w->s[0].address, rt_buffer_of(packet, sizeof packet), w->now),
             RT_UNAUTHENTICATED);
    world_free(w);
}

/* A peer without media takes SRTP for what it is: not its business. */
static void test_a_peer_without_media(void)
{
    world *w = world_new(1);
    world_connect(w);
    uint8_t packet[40] = {0x80, OPUS};
    CHECK_EQ(rt_peer_receive(w->s[1].peer, 0, &w->s[0].address, rt_buffer_of(packet, sizeof packet), w->now),
             RT_UNEXPECTED);
    rt_peer_stats peer;
    rt_peer_get_stats(w->s[1].peer, &peer);
    CHECK_EQ(peer.unknown, 1);
    world_free(w);
}

/* Good-bye comes before close_notify: its packet still counts. */
static void test_close(void)
{
    rt_peer_config config;
    configure(&config, RT_SRTP_AEAD_AES_128_GCM);
    world *w = world_new_configured(1, &config);
    start_media(w, 0);
    start_media(w, 1);
    world_connect(w);
    talk(w);
    world_run(w, w->now + RT_MS(100));
    rt_media_stats before = stats_of(w, 1);
    rt_peer_close(w->s[0].peer, w->now);
    world_run(w, w->now + RT_MS(100));
    CHECK(stats_of(w, 1).rtcp_received > before.rtcp_received);
    CHECK_EQ(w->s[1].dtls_states[w->s[1].dtls_count - 1], RT_DTLS_CLOSED);
    rt_media_config late;
    rt_media_config_default(&late);
    late.srtp = srtp_fake();
    CHECK_EQ(rt_peer_start_media(w->s[0].peer, &late, w->now), RT_CLOSED);
    world_free(w);
}

static void test_loss_all_the_way(void)
{
    rt_peer_config config;
    configure(&config, RT_SRTP_AEAD_AES_128_GCM);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world *w = world_new_configured(seed, &config);
        world_path(w, &(net_path){.delay = RT_MS(30), .loss = 0.1, .reorder = 0.05, .duplicate = 0.05});
        start_media(w, 0);
        start_media(w, 1);
        world_signal(w, seed & 1);
        CHECK(world_until(w, world_is_connected, RT_SECONDS(30)));
        talk(w);
        if (frames[0] < FRAMES * 7 / 10 || frames[1] < FRAMES * 7 / 10) {
            fprintf(stderr, "seed %" PRIu64 ": %" PRIu32 " and %" PRIu32 " frames\n", seed, frames[0], frames[1]);
            exit(1);
        }
        world_free(w);
    }
}

int main(int argc, char **argv)
{
    RUN(test_each_profile);
    RUN(test_media_joins_later);
    RUN(test_without_a_profile);
    RUN(test_media_from_a_stranger);
    RUN(test_a_peer_without_media);
    RUN(test_close);
    RUN(test_loss_all_the_way);
    CHECK_MAIN_END;
}
