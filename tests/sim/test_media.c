/* Calls over the virtual network: what arrives of audio, video and simulcast when packets are lost, late, twice, or too
 * many for the path. Every test prints its seed and figures; another seed may be given in the environment (SEED). */
#include "media_world.h"

#include <time.h>

#include "srtp_fake.h"

static uint64_t seed(void)
{
    const char *given = getenv("SEED");
    return given ? strtoull(given, NULL, 10) : 1;
}

static const media_sink *sink(const media_world *w, int end, int section, int layer)
{
    return &w->ends[end].sinks[section][layer];
}

static const media_source *source(const media_world *w, int end, int section, int layer)
{
    return &w->ends[end].sources[section][layer];
}

static rt_media_stats stats(const media_world *w, int end)
{
    rt_media_stats out;
    rt_media_get_stats(w->ends[end].media, &out);
    return out;
}

/* Nothing false may come, however bad the path. */
static void check_honest(const media_world *w)
{
    for (int end = 0; end < 2; end++) {
        for (int section = 0; section < MEDIA_SECTIONS; section++) {
            for (int layer = 0; layer < MEDIA_LAYERS; layer++) {
                CHECK_EQ(sink(w, end, section, layer)->broken, 0);
                CHECK_EQ(sink(w, end, section, layer)->undecodable, 0);
            }
        }
        CHECK_EQ(stats(w, end).malformed, 0);
        CHECK_EQ(stats(w, end).rtcp_malformed, 0);
    }
}

static media_world *call_both_ways(const net_path *path)
{
    media_world *w = media_world_new(seed());
    media_world_path(w, path);
    media_world_audio(w, 0);
    media_world_video(w, 1, 1);
    media_world_start(w);
    return w;
}

static void test_a_good_path(void)
{
    media_world *w = call_both_ways(&(net_path){.delay = RT_MS(20)});
    media_world_run(w, RT_SECONDS(10));
    media_world_print(w, "a good path");
    check_honest(w);
    CHECK(source(w, 0, MEDIA_AUDIO, 0)->sent - sink(w, 1, MEDIA_AUDIO, 0)->frames <= 3);
    CHECK(source(w, 1, MEDIA_VIDEO, 0)->sent - sink(w, 0, MEDIA_VIDEO, 0)->frames <= 3);
    CHECK_EQ(source(w, 1, MEDIA_VIDEO, 0)->keys, 1);
    CHECK_EQ(w->ends[0].streams, 1);
    CHECK_EQ(w->ends[1].streams, 1);
    CHECK(sink(w, 0, MEDIA_VIDEO, 0)->delay_max < RT_MS(80));
    CHECK(sink(w, 1, MEDIA_AUDIO, 0)->delay_max < RT_MS(60));
    media_world_free(w);
}

static void test_reports_measure_the_round_trip(void)
{
    media_world *w = call_both_ways(&(net_path){.delay = RT_MS(35)});
    media_world_run(w, RT_SECONDS(12));
    for (int end = 0; end < 2; end++) { /* by report blocks, and by XR where nothing is sent to report on */
        rt_time round_trip = stats(w, end).bandwidth.round_trip;
        CHECK(round_trip > RT_MS(69) && round_trip < RT_MS(75));
    }
    media_world_free(w);
}

/* Each lost packet is asked for and comes again, with room in the jitter buffer for the round trip. */
static void test_retransmission_repairs_all_at_five_percent(void)
{
    media_world *w = media_world_new(seed());
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(3)); /* the buffer has learnt the path */
    media_world_path(w, &(net_path){.delay = RT_MS(20), .loss = 0.05});
    media_world_run(w, RT_SECONDS(60));
    media_world_print(w, "5% loss");
    check_honest(w);
    const media_source *from = source(w, 0, MEDIA_VIDEO, 0);
    const media_sink *to = sink(w, 1, MEDIA_VIDEO, 0);
    CHECK(to->recovered > 50);
    CHECK(from->sent - to->frames <= 10);
    CHECK(from->keys <= 6); /* asked for where the retransmission is lost as well; it comes nevertheless */
    media_world_free(w);
}

static void test_audio_is_concealed_where_it_is_lost(void)
{
    media_world *w = media_world_new(seed());
    media_world_audio(w, 0);
    media_world_start(w);
    media_world_path(w, &(net_path){.delay = RT_MS(20), .loss = 0.05});
    media_world_run(w, RT_SECONDS(60));
    media_world_print(w, "audio at 5% loss");
    check_honest(w);
    const media_sink *to = sink(w, 1, MEDIA_AUDIO, 0);
    CHECK(to->lost > 80);
    CHECK(to->samples > 59 * 48000 && to->samples < 61 * 48000); /* the time line has no holes */
    media_world_free(w);
}

/* 300 ms without any packet, and what was lost is older than the history: only a key frame helps. */
static void test_a_key_frame_is_asked_for_after_an_outage(void)
{
    media_world *w = media_world_new(seed());
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(2));
    media_world_path(w, &(net_path){.delay = RT_MS(20), .down_from = w->now, .down_until = w->now + RT_SECONDS(4)});
    media_world_run(w, RT_SECONDS(10));
    media_world_print(w, "an outage of 4 s");
    check_honest(w);
    const media_source *from = source(w, 0, MEDIA_VIDEO, 0);
    const media_sink *to = sink(w, 1, MEDIA_VIDEO, 0);
    CHECK(from->keys >= 2 && from->keys <= 5);
    CHECK(from->number - to->last <= 5); /* up to date again */
    CHECK(to->frames >= from->sent - 150);
    media_world_free(w);
}

static void test_reordering_and_duplication_change_nothing(void)
{
    media_world *w = call_both_ways(&(net_path){
        .delay = RT_MS(20), .jitter = RT_MS(3), .reorder = 0.1, .reorder_delay = RT_MS(15), .duplicate = 0.1});
    media_world_run(w, RT_SECONDS(30));
    media_world_print(w, "10% late by up to 15 ms, 10% twice");
    check_honest(w);
    const media_sink *video = sink(w, 0, MEDIA_VIDEO, 0), *audio = sink(w, 1, MEDIA_AUDIO, 0);
    CHECK(source(w, 1, MEDIA_VIDEO, 0)->sent - video->frames <= 4);
    CHECK(audio->lost <= 15);
    media_world_free(w);
}

/* The three encodings of a camera arrive as three streams, told apart by RID alone. */
static void test_simulcast(void)
{
    media_world *w = media_world_new(seed());
    media_world_path(w, &(net_path){.delay = RT_MS(20), .loss = 0.02});
    media_world_video(w, 0, 3);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(20));
    media_world_print(w, "simulcast at 2% loss");
    check_honest(w);
    CHECK_EQ(w->ends[1].streams, 3);
    for (int layer = 0; layer < 3; layer++) {
        const media_sink *to = sink(w, 1, MEDIA_VIDEO, layer);
        CHECK(to->frames >= source(w, 0, MEDIA_VIDEO, layer)->sent - 30);
        CHECK(to->recovered > 0);
    }
    CHECK(sink(w, 1, MEDIA_VIDEO, 2)->bytes > 3 * sink(w, 1, MEDIA_VIDEO, 0)->bytes);
    media_world_free(w);
}

static void follow(media_world *w, int end, uint8_t layers)
{
    for (uint8_t i = 0; i < layers; i++)
        w->ends[end].sources[MEDIA_VIDEO][i].follows = true;
}

/* draft-ietf-rmcat-gcc's promise: the rate finds the path's, from below and from above. */
static void test_the_target_converges(void)
{
    media_world *w = media_world_new(seed());
    media_world_path(w, &(net_path){.delay = RT_MS(25), .bandwidth = 1.5e6, .queue = 60000, .overhead = 28});
    media_world_audio(w, 0);
    media_world_video(w, 0, 1);
    follow(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(20));
    media_world_print(w, "1.5 Mbit/s");
    uint64_t high = stats(w, 0).bandwidth.target;
    printf("  target %" PRIu64 "\n", high);
    CHECK(high > 1000000 && high < 1700000);
    media_world_path(w, &(net_path){.delay = RT_MS(25), .bandwidth = 0.5e6, .queue = 30000, .overhead = 28});
    media_world_run(w, RT_SECONDS(20));
    uint64_t low = stats(w, 0).bandwidth.target;
    media_world_print(w, "then 0.5 Mbit/s");
    printf("  target %" PRIu64 "\n", low);
    CHECK(low > 250000 && low < 600000);
    uint64_t before = sink(w, 1, MEDIA_VIDEO, 0)->frames;
    media_world_run(w, RT_SECONDS(10));
    CHECK(sink(w, 1, MEDIA_VIDEO, 0)->frames > before + 250); /* and the picture moves */
    check_honest(w);
    media_world_free(w);
}

/* Where the path narrows, the highest encoding pauses and the lowest keeps its quality. */
static void test_the_highest_encoding_pauses_first(void)
{
    media_world *w = media_world_new(seed());
    media_world_path(w, &(net_path){.delay = RT_MS(20), .bandwidth = 1e6, .queue = 50000});
    media_world_video(w, 0, 3);
    for (uint8_t i = 0; i < 3; i++)
        CHECK_EQ(rt_media_set_encoding(w->ends[0].media, MEDIA_VIDEO, i, true, 150000u << 2 * i, w->now), RT_OK);
    follow(w, 0, 3);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(30));
    media_world_print(w, "simulcast over 1 Mbit/s");
    CHECK_EQ(source(w, 0, MEDIA_VIDEO, 0)->bitrate, 150000);
    CHECK(source(w, 0, MEDIA_VIDEO, 1)->bitrate > 300000);
    CHECK_EQ(source(w, 0, MEDIA_VIDEO, 2)->bitrate, 0);
    check_honest(w);
    media_world_free(w);
}

/* What is sent while encodings are paused does not show that the path takes more: probes do, at the start and after the
 * path was too narrow for a while. */
static void test_paused_encodings_come_back(void)
{
    const net_path wide = {.delay = RT_MS(20), .bandwidth = 2e6, .queue = 50000, .overhead = 28};
    const net_path narrow = {.delay = RT_MS(20), .bandwidth = 0.25e6, .queue = 20000, .overhead = 28};
    media_world *w = media_world_new(seed());
    rt_media_set_bitrate(w->ends[0].media, 0, 300000, 0, w->now);
    media_world_path(w, &wide);
    media_world_video(w, 0, 3);
    for (uint8_t i = 0; i < 3; i++)
        CHECK_EQ(rt_media_set_encoding(w->ends[0].media, MEDIA_VIDEO, i, true, 150000u * (i + 1) * (i + 1), w->now),
                 RT_OK);
    follow(w, 0, 3);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(10));
    CHECK(source(w, 0, MEDIA_VIDEO, 2)->bitrate > 0);
    media_world_path(w, &narrow);
    media_world_run(w, RT_SECONDS(20));
    for (int layer = 1; layer < 3; layer++)
        CHECK_EQ(source(w, 0, MEDIA_VIDEO, layer)->bitrate, 0);
    uint64_t before = stats(w, 0).bandwidth.probes;
    media_world_path(w, &wide);
    int after = 0;
    for (; after < 25 && !source(w, 0, MEDIA_VIDEO, 2)->bitrate; after++)
        media_world_run(w, RT_SECONDS(1));
    media_world_print(w, "simulcast after a narrow path");
    printf("  all encodings on after %d s and %" PRIu64 " probes\n", after, stats(w, 0).bandwidth.probes - before);
    CHECK(after < 25);
    CHECK(source(w, 0, MEDIA_VIDEO, 1)->bitrate > 0);
    check_honest(w);
    media_world_free(w);
}

/* A key frame of 80 packets does not leave as one burst. */
static bool watch_bursts(media_world *w, int from, rt_span packet)
{
    rt_time *last = w->context;
    uint32_t *run = (uint32_t *)(last + 1);
    (void)packet;
    if (from != 0)
        return true;
    run[0] = *last == w->now ? run[0] + 1 : 1;
    run[1] = run[0] > run[1] ? run[0] : run[1];
    *last = w->now;
    return true;
}

static void test_pacing(void)
{
    struct {
        rt_time last;
        uint32_t run, longest;
    } watch = {0};
    media_world *w = media_world_new(seed());
    media_world_audio(w, 0);
    media_world_video(w, 0, 1);
    w->ends[0].sources[MEDIA_VIDEO][0].bitrate = 5000000; /* a key frame of 83 kB */
    rt_media_set_bitrate(w->ends[0].media, 100000, 8000000, 10000000, w->now);
    w->filter = watch_bursts;
    w->context = &watch;
    media_world_start(w);
    media_world_run(w, RT_SECONDS(2));
    printf("longest burst: %" PRIu32 " packets\n", watch.longest);
    CHECK(watch.longest <= 16);
    CHECK(sink(w, 1, MEDIA_VIDEO, 0)->frames > 50);
    CHECK(sink(w, 1, MEDIA_AUDIO, 0)->delay_max < RT_MS(30)); /* never behind video */
    check_honest(w);
    media_world_free(w);
}

static void test_ten_minutes(void)
{
    clock_t begin = clock();
    media_world *w = media_world_new(seed());
    media_world_path(w, &(net_path){.delay = RT_MS(30),
                                    .jitter = RT_MS(5),
                                    .bandwidth = 4e6,
                                    .queue = 100000,
                                    .loss = 0.01,
                                    .burst_enter = 0.0005,
                                    .burst_leave = 0.2,
                                    .burst_loss = 0.5,
                                    .reorder = 0.01,
                                    .duplicate = 0.01});
    media_world_audio(w, 0);
    media_world_video(w, 1, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(600));
    double spent = (double)(clock() - begin) / CLOCKS_PER_SEC;
    media_world_print(w, "ten minutes");
    printf("  %.2f s of CPU, %" PRIu64 " packets\n", spent, w->ends[0].packets + w->ends[1].packets);
    check_honest(w);
    CHECK(sink(w, 0, MEDIA_VIDEO, 0)->frames >= source(w, 1, MEDIA_VIDEO, 0)->sent * 95 / 100);
    CHECK(sink(w, 1, MEDIA_AUDIO, 0)->samples > 598ull * 48000);
    CHECK(spent < 30); /* sanitized, on a busy machine; some tenths of a second else */
    media_world_free(w);
}

static void test_good_bye_ends_the_streams(void)
{
    media_world *w = media_world_new(seed());
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(2));
    rt_media_close(w->ends[0].media, w->now);
    w->ends[0].sources[MEDIA_VIDEO][0].runs = false;
    media_world_run(w, RT_SECONDS(5));
    CHECK_EQ(w->ends[1].ended, 1);
    CHECK(source(w, 0, MEDIA_VIDEO, 0)->sent - sink(w, 1, MEDIA_VIDEO, 0)->frames <= 1);
    media_world_free(w);
}

int main(int argc, char **argv)
{
    RUN(test_a_good_path);
    RUN(test_reports_measure_the_round_trip);
    RUN(test_retransmission_repairs_all_at_five_percent);
    RUN(test_audio_is_concealed_where_it_is_lost);
    RUN(test_a_key_frame_is_asked_for_after_an_outage);
    RUN(test_reordering_and_duplication_change_nothing);
    RUN(test_simulcast);
    RUN(test_the_target_converges);
    RUN(test_the_highest_encoding_pauses_first);
    RUN(test_paused_encodings_come_back);
    RUN(test_pacing);
    RUN(test_ten_minutes);
    RUN(test_good_bye_ends_the_streams);
    CHECK_MAIN_END;
}
