/* The other end is authenticated and means no good: what it sends is counted and contained, memory and the application's
 * queue stay bounded, and streams of the honest go on. */
#include "media_forge.h"

#include "srtp_fake.h"

static media_world *call(void)
{
    media_world *w = media_world_new(1);
    media_world_audio(w, 0);
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(1));
    return w;
}

static uint32_t inbound_streams(const media_world *w)
{
    size_t at = 0;
    uint32_t found = 0;
    rt_media_stream stream;
    while (rt_media_stream_next(w->ends[1].media, &at, &stream, w->now))
        found += stream.inbound;
    return found;
}

static void check_call_goes_on(media_world *w)
{
    uint64_t audio = w->ends[1].sinks[MEDIA_AUDIO][0].frames, video = w->ends[1].sinks[MEDIA_VIDEO][0].frames;
    media_world_run(w, RT_SECONDS(2));
    CHECK(w->ends[1].sinks[MEDIA_AUDIO][0].frames >= audio + 95);
    CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].frames >= video + 55);
}

static void test_unknown_ssrcs(void)
{
    media_world *w = call();
    for (uint32_t i = 0; i < 10000; i++)
        (void)forge(w, &(forged){.payload_type = i & 1 ? MEDIA_OPUS : MEDIA_VP8, .ssrc = 5000 + i, .sequence = 1});
    CHECK(inbound_streams(w) <= 16); /* eight in a section */
    CHECK_EQ(forge_stats(w).streams_refused, 10000 - 14);
    CHECK(w->ends[1].streams <= 16);
    check_call_goes_on(w);
    /* Those that said nothing more make room after a second; the honest ones stay. */
    (void)forge(w, &(forged){.payload_type = MEDIA_OPUS, .ssrc = 3, .sequence = 1});
    CHECK_EQ(w->ends[1].ended, 1);
    check_call_goes_on(w);
    media_world_free(w);
}

/* A new SSRC with each packet, while the application does not look. */
static void test_ssrc_changes(void)
{
    media_world *w = media_world_new(1);
    media_world_video(w, 0, 3);
    for (int i = 0; i < 3; i++)
        w->ends[0].sources[MEDIA_VIDEO][i].runs = false;
    media_world_start(w);
    for (uint32_t round = 0; round < 2; round++) {
        w->ends[1].stopped = round == 1;
        for (uint32_t i = 0; i < 5000; i++) {
            uint32_t ssrc = 5000 + round * 100000 + i;
            (void)forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = ssrc, .sequence = 1, .rid = "f"});
        }
        w->now += RT_SECONDS(4);
    }
    CHECK(inbound_streams(w) <= 3);
    CHECK_EQ(w->ends[1].ended, 63); /* no more than so many begin at once */
    w->ends[1].stopped = false;
    media_world_flush(w);
    CHECK_EQ(w->ends[1].ended, 64); /* of those in between nobody ever heard */
    CHECK_EQ(w->ends[1].streams, 65);
    media_world_free(w);
}

/* An SSRC of 0 stands for none: a stream that began with it could not be found when it ends. */
static void test_an_ssrc_of_zero(void)
{
    media_world *w = call();
    uint8_t memory[64];
    for (uint16_t i = 0; i < 3; i++) {
        (void)forge(w, &(forged){.payload_type = MEDIA_OPUS, .sequence = i});
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        rt_rtcp_write_bye(&writer, (uint32_t[]){0}, 1, (rt_span){0});
        CHECK_EQ(media_world_forge(w, 1, rt_span_of(memory, rt_writer_size(&writer))), RT_OK);
        check_call_goes_on(w);
    }
    CHECK_EQ(inbound_streams(w), 2);
    CHECK_EQ(forge_stats(w).unknown_ssrc, 3);
    media_world_free(w);
}

/* Each of these moves may end a stream and begin another, and the application hears of both. */
static void test_an_ssrc_that_moves(void)
{
    media_world *w = call();
    for (uint16_t i = 0; i < 4000; i++) {
        bool video = i & 1;
        (void)forge(
            w, &(forged){
                   .payload_type = video ? MEDIA_VP8 : MEDIA_OPUS, .ssrc = 7, .sequence = i, .mid = video ? "v" : "a"});
    }
    CHECK(w->ends[1].streams <= 70);
    CHECK(w->ends[1].ended <= 70);
    CHECK(forge_stats(w).streams_refused >= 3900);
    check_call_goes_on(w);
    media_world_run(w, RT_SECONDS(2)); /* after a while there is room again */
    uint32_t streams = w->ends[1].streams;
    (void)forge(w, &(forged){.payload_type = MEDIA_OPUS, .ssrc = 8, .sequence = 1});
    CHECK_EQ(w->ends[1].streams, streams + 1);
    media_world_free(w);
}

static void test_a_flood_of_byes(void)
{
    media_world *w = call();
    uint8_t memory[256];
    uint32_t sources[31];
    for (uint32_t i = 0; i < 2000; i++) {
        for (uint32_t k = 0; k < 31; k++)
            sources[k] = i * 31 + k;
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        rt_rtcp_write_bye(&writer, sources, 31, rt_span_text("bye"));
        CHECK_EQ(media_world_forge(w, 1, rt_span_of(memory, rt_writer_size(&writer))), RT_OK);
    }
    media_world_run(w, RT_SECONDS(2)); /* 1000 and 2000 were among them; they go on, so they begin anew */
    CHECK_EQ(w->ends[1].ended, 2);
    CHECK_EQ(w->ends[1].streams, 4);
    check_call_goes_on(w);
    media_world_free(w);
}

/* BYE and beginning in turn: no faster than the bound lets them. */
static void test_byes_in_turn_with_packets(void)
{
    media_world *w = media_world_new(1);
    media_world_audio(w, 0);
    w->ends[0].sources[MEDIA_AUDIO][0].runs = false;
    media_world_start(w);
    uint8_t memory[64];
    for (uint16_t i = 0; i < 2000; i++) {
        (void)forge(w, &(forged){.payload_type = MEDIA_OPUS, .ssrc = 1000, .sequence = i});
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        rt_rtcp_write_bye(&writer, (uint32_t[]){1000}, 1, (rt_span){0});
        (void)media_world_forge(w, 1, rt_span_of(memory, rt_writer_size(&writer)));
        media_world_run(w, RT_MS(1));
    }
    CHECK(w->ends[1].streams <= 11);
    media_world_free(w);
}

static void test_a_storm_of_nacks(void)
{
    media_world *w = call();
    uint64_t before = w->ends[0].packets;
    uint8_t memory[1200];
    uint16_t wanted[4096];
    for (uint32_t i = 0; i < 4096; i++)
        wanted[i] = (uint16_t)(i * 16);
    for (uint32_t i = 0; i < 500; i++) {
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        for (uint32_t k = 0; k < 4096; k++)
            wanted[k]++;
        (void)rt_rtcp_write_nack(&writer, 9, 2000, wanted, 4096);
        CHECK_EQ(media_world_forge(w, 0, rt_span_of(memory, rt_writer_size(&writer))), RT_OK);
    }
    media_world_run(w, RT_MS(500));
    CHECK(w->ends[0].packets - before < 300); /* a second of history at most, besides the media */
    check_call_goes_on(w);
    media_world_free(w);
}

static void test_bytes_of_any_kind(void)
{
    media_world *w = call();
    rt_random random;
    rt_random_init_number(&random, 4);
    uint8_t memory[1200];
    for (uint32_t i = 0; i < 50000; i++) {
        size_t size = 12 + rt_random_below(&random, i % 8 ? 64 : 1100);
        rt_random_fill(&random, memory, size);
        memory[0] = (uint8_t)(0x80 | (memory[0] & 0x3F));
        static const uint8_t types[] = {MEDIA_VP8, MEDIA_VP8_RTX, MEDIA_OPUS, 200, 201, 202, 203, 205, 206, 207};
        memory[1] = types[rt_random_below(&random, sizeof types)];
        uint32_t ssrc = i % 3 ? 2000 : i % 5 ? 1000 : 2100;
        if (memory[1] < 200)
            rt_store32(memory + 8, ssrc); /* into the streams that there are */
        else
            rt_store16(memory + 2, (uint16_t)(size / 4 - 1)); /* a length that fits */
        if (memory[1] == 205 || memory[1] == 206)
            rt_store32(memory + 8, ssrc);
        (void)media_world_forge(w, i & 1, rt_span_of(memory, size));
        if (i % 64 == 0)
            media_world_run(w, RT_MS(5));
    }
    rt_media_stats stats = forge_stats(w);
    CHECK(stats.malformed > 1000);
    CHECK(stats.rtcp_malformed > 1000);
    CHECK(inbound_streams(w) <= 64);
    media_world_free(w);
}

static void test_packets_that_are_not_authentic(void)
{
    media_world *w = call();
    uint8_t memory[100] = {0x80, MEDIA_OPUS};
    rt_random random;
    rt_random_init_number(&random, 5);
    for (uint32_t i = 0; i < 1000; i++) {
        rt_random_fill(&random, memory + 2, sizeof memory - 2);
        memory[1] = i & 1 ? MEDIA_OPUS : 200;
        CHECK_EQ(rt_media_receive(w->ends[1].media, rt_buffer_of(memory, sizeof memory), w->now), RT_UNAUTHENTICATED);
    }
    CHECK_EQ(forge_stats(w).unauthenticated, 1000);
    for (size_t size = 0; size < 12; size++)
        CHECK(rt_media_receive(w->ends[1].media, rt_buffer_of(memory, size), w->now) != RT_OK);
    check_call_goes_on(w);
    media_world_free(w);
}

static void test_packets_before_the_keys(void)
{
    media_world *w = media_world_new(1);
    media_world_audio(w, 0);
    w->ends[0].sources[MEDIA_AUDIO][0].runs = false;
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_OPUS, .ssrc = 1000, .sequence = 1}), RT_UNEXPECTED);
    CHECK_EQ(forge_stats(w).early, 1);
    CHECK_EQ(rt_media_deadline(w->ends[1].media), RT_NEVER);
    media_world_free(w);
}

/* Sequence numbers and timestamps that jump about: frames may be lost, nothing else. */
static void test_jumps(void)
{
    media_world *w = call();
    rt_random random;
    rt_random_init_number(&random, 6);
    for (uint32_t i = 0; i < 5000; i++) {
        (void)forge(w, &(forged){.payload_type = i & 1 ? MEDIA_OPUS : MEDIA_VP8,
                                 .ssrc = i & 1 ? 70 : 71,
                                 .sequence = (uint16_t)rt_random32(&random),
                                 .timestamp = rt_random32(&random),
                                 .transport_sequence = (int32_t)(rt_random32(&random) & 0x7FFF),
                                 .marker = true});
        if (i % 16 == 0)
            media_world_run(w, RT_MS(3));
    }
    check_call_goes_on(w);
    media_world_free(w);
}

/* The application is slow: it loses the oldest frames, and is told. */
static void test_a_slow_application(void)
{
    rt_media_config config;
    rt_media_config_default(&config);
    config.max_frames = 10;
    media_world *w = media_world_configured(1, &config);
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(1));
    uint64_t taken = w->ends[1].sinks[MEDIA_VIDEO][0].frames, last = w->ends[1].sinks[MEDIA_VIDEO][0].last;
    CHECK(taken > 20);
    rt_media_frames_waiting(w->ends[1].media, MEDIA_VIDEO, 10);
    media_world_run(w, RT_SECONDS(2));
    CHECK_EQ(w->ends[1].sinks[MEDIA_VIDEO][0].frames, taken);
    CHECK(w->ends[1].dropped >= 45 && w->ends[1].dropped <= 55);
    rt_media_frames_waiting(w->ends[1].media, MEDIA_VIDEO, 0);
    media_world_run(w, 1);
    CHECK_EQ(w->ends[1].sinks[MEDIA_VIDEO][0].frames, taken + 10); /* the latest that came meanwhile */
    CHECK(w->ends[1].sinks[MEDIA_VIDEO][0].last >= last + 50);
    CHECK_EQ(w->ends[1].sinks[MEDIA_VIDEO][0].undecodable, 1); /* the first after those that went */
    media_world_free(w);
}

int main(int argc, char **argv)
{
    RUN(test_unknown_ssrcs);
    RUN(test_ssrc_changes);
    RUN(test_an_ssrc_of_zero);
    RUN(test_an_ssrc_that_moves);
    RUN(test_a_flood_of_byes);
    RUN(test_byes_in_turn_with_packets);
    RUN(test_a_storm_of_nacks);
    RUN(test_bytes_of_any_kind);
    RUN(test_packets_that_are_not_authentic);
    RUN(test_packets_before_the_keys);
    RUN(test_jumps);
    RUN(test_a_slow_application);
    CHECK_MAIN_END;
}
