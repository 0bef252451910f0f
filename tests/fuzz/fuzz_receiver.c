/* A script of packets, time and an application, against one receiver. The first byte chooses video or audio,
 * passthrough, a small buffer; then each operation is a byte and what it needs. Whatever comes: no crash, bounded
 * memory, frames that make sense, and silence when nobody feeds it. */
#include "expect.h"
#include "proto/receiver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SMALL = 64, ENOUGH = 20000 };

static const rt_receiver_format formats[] = {
    {96, true, true, true, {.codec = RT_CODEC_VP8, .clock_rate = 90000}},
    {97, false, false, true, {.codec = RT_CODEC_H264, .clock_rate = 90000, .h264_mode = 1}},
    {98, true, true, false, {.codec = RT_CODEC_VP9, .clock_rate = 90000}},
    {99, true, true, false, {.codec = RT_CODEC_AV1, .clock_rate = 90000}},
    {100, true, true, false, {.codec = RT_CODEC_H265, .clock_rate = 90000}},
    {111, true, false, false, {.codec = RT_CODEC_OPUS, .clock_rate = 48000, .channels = 2}},
    {0, false, false, false, {.codec = RT_CODEC_PCMU, .clock_rate = 8000, .channels = 1}},
    {63, false, false, false, {.codec = RT_CODEC_RED, .clock_rate = 48000, .channels = 2}},
    {13, false, false, false, {.codec = RT_CODEC_COMFORT_NOISE, .clock_rate = 8000, .channels = 1}},
    {110, false, false, false, {.codec = RT_CODEC_TELEPHONE_EVENT, .clock_rate = 48000, .channels = 1}},
};
enum { FORMATS = sizeof formats / sizeof *formats, VIDEO_FORMATS = 5 };

typedef struct fuzz {
    rt_receiver *receiver;
    bool video;
    uint32_t most; /* packets that it may hold */
    uint16_t sequence;
    uint32_t timestamp;
    rt_time now;
} fuzz;

static void drain(fuzz *f)
{
    rt_frame *frame;
    uint32_t frames = 0;
    uint16_t wanted[32];
    while ((frame = rt_receiver_frame(f->receiver, f->now))) {
        expect(++frames < ENOUGH);
        expect(!frame->next && frame->size <= frame->capacity && frame->released <= f->now);
        expect((frame->size > 0) != ((frame->flags & RT_FRAME_LOST) != 0));
        expect(!f->video || !(frame->flags & RT_FRAME_LOST));
        expect(rt_codec_is_video((rt_codec)frame->codec) == f->video);
        rt_frame_unref(frame);
    }
    for (size_t count; (count = rt_receiver_nack(f->receiver, wanted, 32, f->now));)
        expect(count <= 32 && ++frames < ENOUGH);
    if (rt_receiver_key_frame_needed(f->receiver, f->now))
        expect(!rt_receiver_key_frame_needed(f->receiver, f->now));
    expect(rt_receiver_deadline(f->receiver) > f->now);
}

static void packet(fuzz *f, rt_reader *in)
{
    uint8_t what = rt_read8(in);
    rt_rtp rtp = {.marker = what & 1};
    rt_rtp_values values = {.present = what & 2 ? 1u << RT_RTP_AUDIO_LEVEL | 1u << RT_RTP_VIDEO_ORIENTATION : 0,
                            .audio_level = what,
                            .orientation = what >> 4};
    size_t first = f->video ? 0 : VIDEO_FORMATS, count = f->video ? VIDEO_FORMATS : FORMATS - VIDEO_FORMATS;
    rtp.payload_type = what & 4 ? formats[first + (what >> 4) % count].payload_type : formats[first].payload_type;
    f->sequence = (uint16_t)(f->sequence + (what & 8 ? (int8_t)rt_read8(in) : 1));
    if (what & 16)
        f->timestamp += (uint32_t)(int32_t)(int16_t)rt_read16(in);
    if (what & 32)
        f->timestamp += f->video ? 3000 : 960;
    rtp.sequence = f->sequence;
    rtp.timestamp = f->timestamp;
    rtp.payload = rt_read_span(in, rt_read8(in) % 48);
    (void)rt_receiver_receive(f->receiver, &rtp, &values, what & 64, f->now);
}

static void check(const fuzz *f)
{
    rt_receiver_stats stats;
    rt_receiver_get_stats(f->receiver, &stats, f->now);
    expect(stats.queued_packets <= f->most && stats.queued_frames <= stats.queued_packets);
    expect(stats.total_assembly_time >= 0 && stats.jitter_buffer_delay >= 0);
    expect(stats.concealed_samples <= stats.samples);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_reader in = rt_reader_of(rt_span_of(data, size));
    uint8_t flags = rt_read8(&in);
    rt_receiver_config config;
    rt_receiver_config_default(&config);
    config.formats = formats;
    config.format_count = FORMATS;
    fuzz f = {.video = flags & 1, .now = RT_SECONDS(100), .sequence = 65500, .timestamp = 0xFFFF0000};
    config.video = f.video;
    config.passthrough = flags & 2;
    if (flags & 4)
        config.max_packets = SMALL;
    if (flags & 8)
        config.min_delay = RT_MS(100);
    f.most = config.max_packets;
    f.receiver = rt_receiver_new(&config);
    expect(f.receiver);
    while (rt_reader_left(&in)) {
        uint8_t operation = rt_read8(&in);
        switch (operation & 15) {
        default: packet(&f, &in); break;
        case 8: f.now += RT_US(operation >> 4) * 1000; break;
        case 9: f.now += RT_MS(operation >> 4) * 20; break;
        case 10: f.now += RT_SECONDS(operation >> 4); break;
        case 11: f.sequence = rt_read16(&in); break;
        case 12: f.timestamp = rt_read32(&in); break;
        case 13: rt_receiver_set_round_trip(f.receiver, RT_MS(operation >> 4) * 10); break;
        case 14:
            if (operation & 16)
                rt_receiver_request_key_frame(f.receiver);
            if (operation & 32)
                rt_receiver_set_delay(f.receiver, RT_MS(operation), RT_MS(2 * operation));
            if (operation & 64)
                rt_receiver_set_formats(f.receiver, formats, operation & 128 ? FORMATS : 3);
            break;
        case 15:
            if (operation & 16)
                rt_receiver_bye(f.receiver);
            check(&f);
            break;
        }
        if (f.now >= rt_receiver_deadline(f.receiver))
            rt_receiver_expire(f.receiver, f.now);
        drain(&f);
    }
    for (int i = 0; i < 100; i++) { /* it comes to rest */
        f.now += RT_SECONDS(1);
        rt_receiver_expire(f.receiver, f.now);
        drain(&f);
    }
    check(&f);
    rt_rtcp_block block;
    (void)rt_receiver_report(f.receiver, &block, f.now);
    rt_receiver_free(f.receiver);
    return 0;
}
