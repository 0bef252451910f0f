/* What media costs besides its cryptography: nanoseconds per packet sent and received, for video and for audio, and what
 * the media of a peer weighs. SRTP is the fake of the tests, without its checksums.
 *
 *     test_media_speed [SECONDS]        of media, default 20, so that it can run as a test
 */
#include "check.h"
#include "peer/media.h"
#include "srtp_fake.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <time.h>

enum { BATCH = 64, TAG = 16, VIDEO_PACKETS = 12, SLOT = 1280, ROUNDS = 5 };

typedef struct lab {
    rt_media *ends[2];
    rt_srtp_library library;
    rt_random random;
    rt_time now;
    double sending, receiving, answering; /* seconds of CPU */
    uint64_t sent, answers, frames;
} lab;

static uint8_t memory[BATCH * SLOT];
static rt_packet packets[BATCH];

/* ---- no cryptography ---- */

static int longer(rt_libsrtp_session session, void *packet, int *size)
{
    (void)session;
    memset((uint8_t *)packet + *size, 0, TAG);
    *size += TAG;
    return RT_LIBSRTP_OK;
}

static int shorter(rt_libsrtp_session session, void *packet, int *size)
{
    (void)session;
    (void)packet;
    *size -= TAG;
    return RT_LIBSRTP_OK;
}

static rt_srtp_library no_cryptography(void)
{
    rt_srtp_library library = *srtp_fake();
    library.protect = library.protect_rtcp = longer;
    library.unprotect = library.unprotect_rtcp = shorter;
    return library;
}

/* ---- two ends ---- */

/* Of the wall clock: that of the process costs a system call, which would be most of what is measured. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void set_section(lab *l, int end, bool video)
{
    rt_media_format format = {
        .payload_type = video ? 96 : 111,
        .rtx_payload_type = video ? 97 : RT_MEDIA_NO_FORMAT,
        .nack = video,
        .pli = video,
        .twcc = true,
        .payload = {.codec = video ? RT_CODEC_VP8 : RT_CODEC_OPUS, .clock_rate = video ? 90000 : 48000, .channels = 2}};
    rt_media_encoding encoding = {.ssrc = video ? 20 : 10, .rtx_ssrc = video ? 21 : 0, .active = true};
    rt_media_source source = {.ssrc = encoding.ssrc, .rtx_ssrc = encoding.rtx_ssrc};
    rt_media_section section = {.mid = {.size = 1, .data = {video ? '1' : '0'}},
                                .video = video,
                                .receive = end == 1,
                                .send = end == 0,
                                .reduced_size = true,
                                .max_delay = RT_SECONDS(1),
                                .formats = &format,
                                .format_count = 1};
    CHECK_EQ(rt_rtp_extension_map_set(&section.extensions, RT_RTP_MID, 4), RT_OK);
    CHECK_EQ(rt_rtp_extension_map_set(&section.extensions, RT_RTP_ABS_SEND_TIME, 2), RT_OK);
    CHECK_EQ(rt_rtp_extension_map_set(&section.extensions, RT_RTP_TRANSPORT_SEQUENCE, 3), RT_OK);
    if (end == 0) {
        section.send_format = format;
        section.encodings = &encoding;
        section.encoding_count = 1;
    } else {
        section.sources = &source;
        section.source_count = 1;
    }
    CHECK_EQ(rt_media_set_section(l->ends[end], video, &section, l->now), RT_OK);
}

static lab *lab_new(void)
{
    static const uint8_t material[56];
    lab *l = calloc(1, sizeof *l);
    CHECK(l != NULL);
    l->now = RT_SECONDS(1);
    rt_random_init_number(&l->random, 1);
    l->library = no_cryptography();
    for (int end = 0; end < 2; end++) {
        rt_media_config config;
        rt_media_config_default(&config);
        config.random = &l->random;
        config.srtp = &l->library;
        config.start_bitrate = 10000000;
        config.max_bitrate = 10000000;
        l->ends[end] = rt_media_new(&config, l->now);
        CHECK(l->ends[end] != NULL);
        CHECK_EQ(rt_media_start(l->ends[end], RT_SRTP_AEAD_AES_128_GCM, rt_span_of(material, sizeof material), end == 0,
                                l->now),
                 RT_OK);
        set_section(l, end, false);
        set_section(l, end, true);
    }
    return l;
}

static void lab_free(lab *l)
{
    rt_media_free(l->ends[0]);
    rt_media_free(l->ends[1]);
    free(l);
}

static void hear(lab *l, int end)
{
    rt_media_event event;
    while (rt_media_event_next(l->ends[end], &event, l->now)) {
        if (event.type != RT_MEDIA_EVENT_FRAME)
            continue;
        l->frames++;
        rt_frame_unref(event.frame);
    }
}

/* What one end has to say now goes to the other, each part on its own account. */
static void carry(lab *l, int from, double *out, double *in, uint64_t *count)
{
    rt_batch batch;
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, BATCH);
    for (;;) {
        double begin = seconds();
        hear(l, from);
        rt_batch_reset(&batch);
        size_t sent = rt_media_transmit(l->ends[from], &batch, l->now);
        double middle = seconds();
        *out += middle - begin;
        if (sent == 0)
            return;
        *count += sent;
        for (size_t i = 0; i < sent; i++)
            (void)rt_media_receive(l->ends[1 - from], rt_buffer_of(packets[i].data, packets[i].size), l->now);
        hear(l, 1 - from);
        *in += seconds() - middle;
    }
}

static void settle(lab *l)
{
    double ignored = 0;
    carry(l, 0, &l->sending, &l->receiving, &l->sent);
    carry(l, 1, &l->receiving, &ignored, &l->answers);
    l->answering += ignored;
}

static void pass_time(lab *l, rt_time until)
{
    for (;;) {
        rt_time next = rt_time_min(rt_media_deadline(l->ends[0]), rt_media_deadline(l->ends[1]));
        if (next > until)
            break;
        l->now = rt_time_max(l->now, next);
        double begin = seconds();
        rt_media_expire(l->ends[0], l->now);
        double middle = seconds();
        rt_media_expire(l->ends[1], l->now);
        l->sending += middle - begin;
        l->receiving += seconds() - middle;
        settle(l);
    }
    l->now = until;
}

static void run(lab *l, bool video, int frames)
{
    static uint8_t data[VIDEO_PACKETS * 1100] = {0x10, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0};
    rt_frame frame = {.codec = video ? RT_CODEC_VP8 : RT_CODEC_OPUS, .audio_level = RT_FRAME_NO_LEVEL};
    size_t size = video ? sizeof data : 80;
    for (int i = 0; i < frames; i++) {
        frame.timestamp += video ? 3000 : 960;
        frame.flags = video && i == 0 ? RT_FRAME_KEY : 0;
        data[0] = video ? 0x10 | (i > 0) : 0x08;
        double begin = seconds();
        CHECK_EQ(rt_media_send(l->ends[0], video, 0, &frame, rt_span_of(data, size), l->now, l->now), RT_OK);
        l->sending += seconds() - begin;
        settle(l);
        pass_time(l, l->now + (video ? RT_MS(33) : RT_MS(20)));
    }
}

static void measure(bool video, int length)
{
    int frames = length * (video ? 30 : 50);
    double best[3] = {1, 1, 1};
    for (int round = 0; round < ROUNDS; round++) {
        lab *l = lab_new();
        run(l, video, frames);
        CHECK(l->frames + 5 >= (uint64_t)frames);
        double cost[3] = {l->sending / (double)l->sent, l->receiving / (double)l->sent,
                          l->answering / (double)l->answers};
        for (int i = 0; i < 3; i++)
            best[i] = cost[i] < best[i] ? cost[i] : best[i];
        lab_free(l);
    }
    printf("%s: %.0f ns to send a packet, %.0f ns to receive one, %.0f ns per answer to the sender\n",
           video ? "video" : "audio", best[0] * 1e9, best[1] * 1e9, best[2] * 1e9);
    CHECK(best[0] < 50e-6 && best[1] < 50e-6); /* sanitized, on a busy machine */
}

static void weigh(void)
{
#ifdef __GLIBC__
    enum { PAIRS = 50 };
    lab *labs[PAIRS];
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < PAIRS; i++)
        labs[i] = lab_new();
    size_t fresh = mallinfo2().uordblks - before;
    for (int i = 0; i < PAIRS; i++) {
        run(labs[i], true, 60);
        run(labs[i], false, 60);
    }
    size_t used = mallinfo2().uordblks - before;
    printf("memory of two ends with audio and video: %zu bytes, after use %zu\n", fresh / PAIRS, used / PAIRS);
    for (int i = 0; i < PAIRS; i++)
        lab_free(labs[i]);
#endif
}

int main(int argc, char **argv)
{
    int length = argc > 1 ? atoi(argv[1]) : 20;
    CHECK(length > 0);
    measure(true, length);
    measure(false, length);
    weigh();
    printf("1 passed\n");
    return 0;
}
