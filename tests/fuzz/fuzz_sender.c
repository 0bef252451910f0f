/* The sender under a hostile other end: a script of frames, NACKs, reports, drains. The first byte chooses RTX or in
 * place, audio or video, small bounds. Whatever is asked for: no more waits than the bounds say, each written packet
 * is an RTP packet of the stream with the payload that its sequence number had, and the queues empty. */
#include "expect.h"
#include "proto/sender.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SSRC = 1, RTX_SSRC = 2, PAYLOAD_TYPE = 96, RTX_PAYLOAD_TYPE = 97, PAYLOADS_MAX = 12 };

typedef struct fuzz {
    rt_random random;
    rt_rtp_extension_map map;
    rt_sender_config config;
    rt_sender *sender;
    rt_time now;
    uint64_t packets;
    uint16_t transport;
    uint16_t last;
    uint8_t firsts[65536]; /* first byte of the payload that had the sequence number */
    bool known[65536];
} fuzz;

static void send(fuzz *f, uint8_t shape, uint8_t flags)
{
    uint32_t count = shape % PAYLOADS_MAX + 1;
    uint16_t size = (uint16_t)(16 + shape * 4);
    size_t head = sizeof(rt_payloads) + count * sizeof(rt_payload);
    rt_payloads *payloads = malloc(head + (size_t)count * size);
    rt_frame *frame = rt_frame_new(0);
    expect(payloads && frame);
    payloads->references = 1;
    payloads->count = count;
    payloads->codec = RT_CODEC_VP8;
    payloads->data = (uint8_t *)payloads + head;
    for (uint32_t i = 0; i < count; i++) {
        payloads->items[i] = (rt_payload){.offset = i * size, .size = (uint16_t)(size - i), .flags = flags & 1};
        memset((uint8_t *)payloads + head + (size_t)i * size, (int)rt_random32(&f->random), size);
    }
    frame->flags = flags;
    frame->audio_level = (int8_t)-(int)(flags & 0x7F);
    frame->rotation = flags;
    frame->timestamp = f->now / 11111;
    (void)rt_sender_send(f->sender, payloads, frame, f->now - RT_MS(flags), f->now);
    rt_payloads_unref(payloads);
    rt_frame_unref(frame);
}

static bool drain(fuzz *f, rt_sender_class which)
{
    uint8_t room[4096];
    size_t most = rt_sender_packet_max(f->sender);
    expect(most <= sizeof room);
    size_t size = rt_sender_write(f->sender, which, rt_buffer_of(room, most), f->transport++,
                                  rt_ntp_from_ns((uint64_t)f->now), f->now);
    if (!size)
        return false;
    rt_rtp packet;
    rt_rtp_values values;
    expect(size <= most);
    expect(rt_rtp_parse(rt_span_of(room, size), &packet) == RT_OK);
    expect(rt_rtp_read_values(&packet, &f->map, &values) == RT_OK);
    expect(packet.payload.size > 0);
    if (packet.ssrc == RTX_SSRC) {
        expect(packet.payload_type == RTX_PAYLOAD_TYPE);
        expect(rt_rtx_unwrap(&packet, SSRC, PAYLOAD_TYPE) == RT_OK);
        expect(f->known[packet.sequence]);
    }
    expect(packet.ssrc == SSRC && packet.payload_type == PAYLOAD_TYPE);
    if (which == RT_SENDER_MEDIA) {
        f->known[packet.sequence] = true;
        f->firsts[packet.sequence] = packet.payload.data[0];
        f->last = packet.sequence;
    }
    expect(f->firsts[packet.sequence] == packet.payload.data[0]);
    f->packets++;
    return true;
}

static void nack(fuzz *f, rt_reader *in)
{
    uint16_t sequences[256], from = rt_read16(in);
    uint8_t count = rt_read8(in), stride = rt_read8(in);
    for (int i = 0; i < count; i++)
        sequences[i] = (uint16_t)((from & 0x8000 ? from : f->last - from % 512) + i * stride);
    rt_sender_nack(f->sender, sequences, count, f->now);
}

static void check(const fuzz *f)
{
    rt_sender_stats stats;
    rt_sender_get_stats(f->sender, &stats);
    size_t largest = PAYLOADS_MAX * 1040;
    expect(stats.queued_bytes <= f->config.queue_bytes + 2 * largest);
    expect(stats.history_bytes <= f->config.history_bytes + 2 * largest);
    expect(rt_sender_queued(f->sender, RT_SENDER_RETRANSMISSION) <= 1024 * 1040);
    expect(stats.nacks_unanswered + stats.retransmitted_packets <= stats.nacked_packets);
    expect((stats.queued_bytes > 0) == (stats.queued_packets > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz f;
    f = (fuzz){.now = RT_SECONDS(10)};
    rt_reader in = rt_reader_of(rt_span_of(data, size));
    uint8_t mode = rt_read8(&in);
    for (uint8_t i = 0; i < RT_RTP_EXTENSIONS; i++)
        if (mode & 1 || i % 2)
            expect(rt_rtp_extension_map_set(&f.map, i, i + 1) == RT_OK);
    rt_random_init_number(&f.random, 1);
    rt_sender_config_default(&f.config);
    f.config.random = &f.random;
    f.config.extensions = &f.map;
    f.config.ssrc = SSRC;
    f.config.payload_type = PAYLOAD_TYPE;
    f.config.rtx_ssrc = mode & 2 ? RTX_SSRC : 0;
    f.config.rtx_payload_type = RTX_PAYLOAD_TYPE;
    f.config.video = mode & 4;
    f.config.mid = (rt_rtp_text){.size = 3, .data = "mid"};
    if (mode & 8)
        f.config.queue_bytes = f.config.history_bytes = 20000;
    f.sender = rt_sender_new(&f.config);
    expect(f.sender);
    while (rt_reader_left(&in) && f.packets < 20000) {
        uint8_t operation = rt_read8(&in), argument = rt_read8(&in);
        switch (operation % 10) {
        case 0:
        case 1: send(&f, argument, rt_read8(&in)); break;
        case 2:
            for (int i = 0; i < argument && drain(&f, RT_SENDER_MEDIA); i++)
                continue;
            break;
        case 3:
            for (int i = 0; i < argument && drain(&f, RT_SENDER_RETRANSMISSION); i++)
                continue;
            break;
        case 4: nack(&f, &in); break;
        case 5: {
            rt_rtcp_block block = {.ssrc = argument & 1 ? SSRC : RTX_SSRC, .lost = (int32_t)rt_read32(&in)};
            rt_sender_reported(f.sender, &block, RT_US(rt_read16(&in) * 100), f.now);
            break;
        }
        case 6: f.now += RT_MS(argument) * (operation & 64 ? 20 : 1); break;
        case 7: rt_sender_set_active(f.sender, argument & 1); break;
        case 8: {
            uint8_t room[4096];
            size_t written = rt_sender_write_padding(f.sender, rt_buffer_of(room, sizeof room), argument * 8u,
                                                     f.transport++, rt_ntp_from_ns((uint64_t)f.now), f.now);
            rt_rtp packet;
            expect(!written || rt_rtp_parse(rt_span_of(room, written), &packet) == RT_OK);
            break;
        }
        case 9: {
            rt_rtcp_report report;
            (void)rt_sender_report(f.sender, &report, rt_ntp_from_ns((uint64_t)f.now), f.now);
            (void)rt_sender_key_frame_needed(f.sender);
            break;
        }
        }
        check(&f);
    }
    while (drain(&f, RT_SENDER_RETRANSMISSION) || drain(&f, RT_SENDER_MEDIA))
        continue;
    expect(rt_sender_queued(f.sender, RT_SENDER_MEDIA) == 0);
    expect(rt_sender_queued(f.sender, RT_SENDER_RETRANSMISSION) == 0);
    expect(rt_sender_queued_since(f.sender) == RT_NEVER);
    rt_sender_free(f.sender);
    return 0;
}
