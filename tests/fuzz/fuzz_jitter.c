/* The jitter buffer alone, with payloads' properties as the fuzzer likes them: beginnings and ends where there are
 * none, layers and picture ids that make no sense. What leaves has been put in, once, and in order of numbers. */
#include "expect.h"
#include "proto/jitter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ORIGIN = 100000, ENOUGH = 70000 };

static const rt_payload_format vp8 = {.codec = RT_CODEC_VP8, .clock_rate = 90000};
static const rt_payload_format opus = {.codec = RT_CODEC_OPUS, .clock_rate = 48000, .channels = 2};
static const rt_payload_format slow = {.codec = RT_CODEC_PCMU, .clock_rate = 8000, .channels = 1};

typedef struct fuzz {
    rt_jitter *jitter;
    bool video;
    rt_time now;
    uint64_t sequence;
    uint32_t timestamp;
    uint64_t added, packets_left;
} fuzz;

static void add(fuzz *f, rt_reader *in)
{
    uint16_t bits = rt_read16(in);
    rt_payload_info info = {.starts_frame = bits & 1,
                            .ends_frame = bits & 2,
                            .key = bits & 4,
                            .discardable = bits & 8,
                            .has_picture_id = bits & 16,
                            .has_tl0 = bits & 32,
                            .layer_switch = bits & 64,
                            .temporal = (bits >> 7) & 3,
                            .picture_id = (uint16_t)f->sequence,
                            .picture_id_bits = 15,
                            .tl0 = (uint8_t)(f->timestamp / 3000),
                            .duration = bits & 512 ? 960 : 0};
    /* VP8's own properties fit the flags, so that frames can be put together. */
    uint8_t payload[8] = {(uint8_t)(info.starts_frame ? 0x10 : 0), (uint8_t)(info.key ? 0 : 1), 0, 0, 0x9D, 1, 0x2A, 0};
    if (bits & 1024)
        f->timestamp += (uint32_t)(int32_t)(int16_t)rt_read16(in);
    if (bits & 2048)
        f->sequence = (uint64_t)((int64_t)f->sequence + (int8_t)rt_read8(in));
    else
        f->sequence++;
    rt_jitter_packet packet = {.sequence = f->sequence,
                               .timestamp = f->timestamp,
                               .marker = bits & 2,
                               .recovered = bits & 4096,
                               .format = f->video      ? &vp8
                                         : bits & 8192 ? &slow
                                                       : &opus,
                               .info = bits & 16384 ? NULL : &info,
                               .payload = rt_span_of(payload, bits & 16384 ? 0 : sizeof payload)};
    if (!f->video && bits & 32768)
        f->added += rt_jitter_add_redundant(f->jitter, &packet, f->now);
    else
        f->added += rt_jitter_add(f->jitter, &packet, f->now) == RT_OK;
}

static void drain(fuzz *f)
{
    uint64_t head = rt_jitter_head(f->jitter);
    rt_frame *frame;
    for (uint32_t count = 0; (frame = rt_jitter_pop(f->jitter, f->now)); count++) {
        expect(count < ENOUGH);
        expect(rt_jitter_head(f->jitter) >= head);
        head = rt_jitter_head(f->jitter);
        f->packets_left += frame->packets;
        rt_frame_unref(frame);
    }
    expect(f->packets_left <= f->added);
    expect(rt_jitter_deadline(f->jitter) > f->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_reader in = rt_reader_of(rt_span_of(data, size));
    uint8_t flags = rt_read8(&in);
    rt_jitter_config config;
    rt_jitter_config_default(&config);
    fuzz f = {.video = flags & 1, .now = RT_SECONDS(1), .sequence = ORIGIN};
    config.video = f.video;
    config.passthrough = flags & 2;
    config.max_packets = flags & 4 ? 32 : 512;
    config.max_delay = flags & 8 ? RT_MS(50) : RT_SECONDS(2);
    f.jitter = rt_jitter_new(&config);
    expect(f.jitter);
    rt_jitter_stats stats;
    while (rt_reader_left(&in)) {
        uint8_t operation = rt_read8(&in);
        switch (operation & 7) {
        default: add(&f, &in); break;
        case 4: f.now += RT_MS(operation >> 3); break;
        case 5: f.now += RT_MS(operation >> 3) * 50; break;
        case 6: rt_jitter_set_patience(f.jitter, RT_MS(operation >> 3) * 10); break;
        case 7:
            if (operation & 8) {
                f.sequence = rt_jitter_head(f.jitter) + 70000;
                rt_jitter_restart(f.jitter, f.sequence, f.now);
            }
            break;
        }
        if (!(operation & 128))
            drain(&f);
        rt_jitter_get_stats(f.jitter, &stats);
        expect(stats.packets <= config.max_packets);
    }
    rt_jitter_free(f.jitter);
    return 0;
}
