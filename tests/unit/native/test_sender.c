/* The sender: headers and extensions, RTX (RFC 4588), NACK bounds, sender reports (RFC 3550 section 6.4.1), queue. */
#include "check.h"
#include "proto/sender.h"

#define SSRC 0x11223344
#define RTX_SSRC 0x55667788
#define START RT_SECONDS(100)

enum { MID = 1, RID, REPAIRED, LEVEL, SEND_TIME, TRANSPORT, ORIENTATION, CAPTURE };

typedef struct rig {
    rt_random random;
    rt_rtp_extension_map map;
    rt_sender *sender;
    uint16_t transport;
    uint8_t packet[2048];
    size_t size;
    rt_rtp rtp;
    rt_rtp_values values;
} rig;

static rt_rtp_text text(const char *s)
{
    rt_rtp_text t = {.size = (uint8_t)strlen(s)};
    memcpy(t.data, s, t.size);
    return t;
}

static uint64_t ntp_of(rt_time now)
{
    return rt_ntp_from_ns((uint64_t)now + 3900000000ull * 1000000000ull);
}

static rt_sender_config config_of(rig *r, bool rtx)
{
    rt_random_init_number(&r->random, 7);
    rt_sender_config config;
    rt_sender_config_default(&config);
    config.random = &r->random;
    config.ssrc = SSRC;
    config.rtx_ssrc = rtx ? RTX_SSRC : 0;
    config.payload_type = 96;
    config.rtx_payload_type = 97;
    config.video = true;
    config.extensions = &r->map;
    config.mid = text("v0");
    config.rid = text("hi");
    return config;
}

static void rig_extensions(rig *r)
{
    static const rt_rtp_extension all[] = {RT_RTP_MID,
                                           RT_RTP_RID,
                                           RT_RTP_REPAIRED_RID,
                                           RT_RTP_AUDIO_LEVEL,
                                           RT_RTP_ABS_SEND_TIME,
                                           RT_RTP_TRANSPORT_SEQUENCE,
                                           RT_RTP_VIDEO_ORIENTATION,
                                           RT_RTP_ABS_CAPTURE_TIME};
    for (uint8_t i = 0; i < 8; i++)
        CHECK_EQ(rt_rtp_extension_map_set(&r->map, all[i], i + 1), RT_OK);
}

static void rig_init(rig *r, bool rtx)
{
    *r = (rig){.transport = 500};
    rig_extensions(r);
    rt_sender_config config = config_of(r, rtx);
    r->sender = rt_sender_new(&config);
    CHECK(r->sender);
}

/* Payloads of a frame: `count` of `size` bytes each, byte i of payload p is p + i; the last has the marker. */
static rt_payloads *payloads_of(uint32_t count, uint16_t size)
{
    size_t head = sizeof(rt_payloads) + count * sizeof(rt_payload);
    rt_payloads *payloads = malloc(head + (size_t)count * size);
    CHECK(payloads);
    uint8_t *data = (uint8_t *)payloads + head;
    payloads->references = 1;
    payloads->count = count;
    payloads->codec = RT_CODEC_VP8;
    payloads->data = data;
    for (uint32_t p = 0; p < count; p++) {
        payloads->items[p] = (rt_payload){.offset = p * size, .size = size};
        payloads->items[p].flags = p + 1 == count ? RT_PAYLOAD_MARKER : 0;
        for (uint32_t i = 0; i < size; i++)
            data[p * size + i] = (uint8_t)(p + i);
    }
    return payloads;
}

static rt_status send_frame(rig *r, uint32_t count, uint16_t size, uint8_t flags, int64_t timestamp, rt_time now)
{
    rt_frame *frame = rt_frame_new(0);
    frame->flags = flags;
    frame->timestamp = timestamp;
    rt_payloads *payloads = payloads_of(count, size);
    rt_status status = rt_sender_send(r->sender, payloads, frame, now, now);
    rt_payloads_unref(payloads);
    rt_frame_unref(frame);
    return status;
}

static void read_packet(rig *r)
{
    CHECK_EQ(rt_rtp_parse(rt_span_of(r->packet, r->size), &r->rtp), RT_OK);
    CHECK_EQ(rt_rtp_read_values(&r->rtp, &r->map, &r->values), RT_OK);
}

/* The next packet of a class, read; false: there is none. */
static bool write_one(rig *r, rt_sender_class which, rt_time now)
{
    size_t most = rt_sender_packet_max(r->sender);
    r->size = rt_sender_write(r->sender, which, rt_buffer_of(r->packet, most), r->transport, ntp_of(now), now);
    if (!r->size)
        return false;
    r->transport += rt_sender_stamps(r->sender, which);
    read_packet(r);
    return true;
}

static rt_sender_stats stats_of(const rig *r)
{
    rt_sender_stats stats;
    rt_sender_get_stats(r->sender, &stats);
    return stats;
}

static void rig_free(rig *r)
{
    rt_sender_free(r->sender);
}

static void a_frame_becomes_packets(void)
{
    rig r;
    rig_init(&r, true);
    CHECK_EQ(rt_sender_queued_since(r.sender), RT_NEVER);
    CHECK_EQ(send_frame(&r, 3, 1000, RT_FRAME_KEY, 3000, START), RT_OK);
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_MEDIA), 3000);
    CHECK_EQ(rt_sender_queued_since(r.sender), START);
    CHECK_EQ(stats_of(&r).queued_packets, 3);
    uint16_t first = 0;
    uint32_t timestamp = 0;
    size_t size = 0;
    for (int i = 0; i < 3; i++) {
        CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(2)));
        if (!i)
            first = r.rtp.sequence, timestamp = r.rtp.timestamp, size = r.size;
        CHECK_EQ(r.rtp.sequence, (uint16_t)(first + i));
        CHECK_EQ(r.rtp.timestamp, timestamp);
        CHECK_EQ(r.rtp.ssrc, SSRC);
        CHECK_EQ(r.rtp.payload_type, 96);
        CHECK_EQ(r.rtp.marker, i == 2);
        CHECK_EQ(r.rtp.payload.size, 1000);
        CHECK_EQ(r.rtp.payload.data[5], i + 5);
        CHECK_EQ(r.size, size); /* one GSO run */
        CHECK_EQ(r.values.transport_sequence, 500 + i);
        CHECK_EQ(r.values.abs_send_time, rt_abs_send_time(ntp_of(START + RT_MS(2))));
        CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_MEDIA), 2000 - 1000 * i);
    }
    CHECK(!write_one(&r, RT_SENDER_MEDIA, START));
    CHECK_EQ(rt_sender_queued_since(r.sender), RT_NEVER);
    rt_sender_stats stats = stats_of(&r);
    CHECK_EQ(stats.packets, 3);
    CHECK_EQ(stats.bytes, 3000);
    CHECK_EQ(stats.frames, 1);
    CHECK_EQ(stats.key_frames, 1);
    CHECK_EQ(stats.total_send_delay, 3 * RT_MS(2));
    CHECK_EQ(stats.header_bytes, 3 * (size - 1000));
    /* Another frame is 90 kHz ticks later, wherever the first one began. */
    CHECK_EQ(send_frame(&r, 1, 10, 0, 6000, START + RT_MS(33)), RT_OK);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(33)));
    CHECK_EQ(r.rtp.timestamp - timestamp, 3000);
    CHECK_EQ(r.rtp.sequence, (uint16_t)(first + 3));
    rig_free(&r);
}

static void names_until_the_first_report_block(void)
{
    rig r;
    rig_init(&r, true);
    for (int i = 0; i < 2; i++) {
        send_frame(&r, 1, 10, 0, 0, START);
        CHECK(write_one(&r, RT_SENDER_MEDIA, START));
        CHECK_EQ(RT_RTP_HAS(&r.values, RT_RTP_MID), 1);
        CHECK(r.values.mid.size == 2 && !memcmp(r.values.mid.data, "v0", 2));
        CHECK(r.values.rid.size == 2 && !memcmp(r.values.rid.data, "hi", 2));
    }
    uint16_t sequence = r.rtp.sequence;
    rt_sender_nack(r.sender, &sequence, 1, START);
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START));
    CHECK_EQ(RT_RTP_HAS(&r.values, RT_RTP_RID), 0);
    CHECK(r.values.mid.size == 2 && !memcmp(r.values.mid.data, "v0", 2));
    CHECK(r.values.repaired_rid.size == 2 && !memcmp(r.values.repaired_rid.data, "hi", 2));

    rt_rtcp_block block = {.ssrc = SSRC, .lost = 5, .fraction_lost = 12, .jitter = 99};
    rt_sender_reported(r.sender, &block, RT_MS(20), START);
    send_frame(&r, 1, 10, 0, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    CHECK_EQ(RT_RTP_HAS(&r.values, RT_RTP_MID), 0);
    CHECK_EQ(RT_RTP_HAS(&r.values, RT_RTP_RID), 0);
    /* The retransmission stream has another SSRC, which is not known by that. */
    rt_sender_nack(r.sender, &sequence, 1, START + RT_MS(30));
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(30)));
    CHECK_EQ(RT_RTP_HAS(&r.values, RT_RTP_REPAIRED_RID), 1);
    block.ssrc = RTX_SSRC;
    rt_sender_reported(r.sender, &block, 0, START);
    rt_sender_nack(r.sender, &sequence, 1, START + RT_MS(60));
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(60)));
    CHECK_EQ(RT_RTP_HAS(&r.values, RT_RTP_REPAIRED_RID), 0);
    CHECK_EQ(RT_RTP_HAS(&r.values, RT_RTP_MID), 0);

    rt_sender_stats stats = stats_of(&r);
    CHECK_EQ(stats.reports, 1);
    CHECK_EQ(stats.remote_lost, 5);
    CHECK_EQ(stats.remote_jitter, 99);
    CHECK_EQ(stats.remote_fraction_lost, 12);
    CHECK_EQ(stats.round_trip, RT_MS(20));
    CHECK_EQ(stats.round_trip_measurements, 1);
    rig_free(&r);
}

static void rtx_carries_the_original_number(void) /* RFC 4588 section 4 */
{
    rig r;
    rig_init(&r, true);
    send_frame(&r, 3, 700, 0, 0, START);
    uint16_t sequences[3];
    uint32_t timestamp = 0;
    for (int i = 0; i < 3; i++) {
        CHECK(write_one(&r, RT_SENDER_MEDIA, START));
        sequences[i] = r.rtp.sequence;
        timestamp = r.rtp.timestamp;
    }
    rt_sender_nack(r.sender, sequences + 1, 2, START + RT_MS(5));
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_RETRANSMISSION), 1400);
    uint16_t rtx = 0;
    for (int i = 1; i < 3; i++) {
        uint16_t transport = r.transport;
        CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(6)));
        CHECK_EQ(r.values.transport_sequence, transport);
        CHECK_EQ(r.transport, transport + 1);
        CHECK_EQ(r.rtp.ssrc, RTX_SSRC);
        CHECK_EQ(r.rtp.payload_type, 97);
        CHECK_EQ(r.rtp.timestamp, timestamp);
        CHECK_EQ(r.rtp.marker, i == 2);
        if (i == 1)
            rtx = r.rtp.sequence;
        CHECK_EQ(r.rtp.sequence, (uint16_t)(rtx + i - 1));
        CHECK_EQ(rt_rtx_unwrap(&r.rtp, SSRC, 96), RT_OK);
        CHECK_EQ(r.rtp.sequence, sequences[i]);
        CHECK_EQ(r.rtp.payload.size, 700);
        CHECK_EQ(r.rtp.payload.data[1], i + 1);
    }
    CHECK(!write_one(&r, RT_SENDER_RETRANSMISSION, START));
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_RETRANSMISSION), 0);
    rt_sender_stats stats = stats_of(&r);
    CHECK_EQ(stats.retransmitted_packets, 2);
    CHECK_EQ(stats.retransmitted_bytes, 1400);
    CHECK_EQ(stats.packets, 5);
    CHECK_EQ(stats.nacks, 1);
    CHECK_EQ(stats.nacked_packets, 2);
    CHECK_EQ(stats.nacks_unanswered, 0);
    rig_free(&r);
}

static void in_place_is_the_same_packet(void)
{
    rig r;
    rig_init(&r, false);
    send_frame(&r, 2, 300, RT_FRAME_KEY, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    uint8_t packet[2048];
    size_t size = r.size;
    uint16_t sequence = r.rtp.sequence, transport = r.transport;
    memcpy(packet, r.packet, size);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    rt_rtcp_block block = {.ssrc = SSRC};
    rt_sender_reported(r.sender, &block, 0, START); /* newer packets have no MID */
    transport = r.transport;
    rt_sender_nack(r.sender, &sequence, 1, START + RT_MS(50));
    CHECK(!rt_sender_stamps(r.sender, RT_SENDER_RETRANSMISSION));
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(50)));
    CHECK_EQ(r.size, size);
    CHECK_BYTES(r.packet, packet, size);
    CHECK_EQ(r.transport, transport);
    rig_free(&r);
}

static void once_per_round_trip(void)
{
    rig r;
    rig_init(&r, true);
    send_frame(&r, 1, 300, 0, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    uint16_t sequence = r.rtp.sequence;
    rt_sender_set_round_trip(r.sender, RT_MS(40));
    rt_sender_nack(r.sender, &sequence, 1, START + RT_MS(1));
    rt_sender_nack(r.sender, &sequence, 1, START + RT_MS(1)); /* still queued */
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(2)));
    rt_sender_nack(r.sender, &sequence, 1, START + RT_MS(41)); /* under way */
    CHECK(!write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(41)));
    CHECK_EQ(stats_of(&r).nacks_unanswered, 2);
    rt_sender_nack(r.sender, &sequence, 1, START + RT_MS(42));
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(42)));
    /* Never more than ten times. */
    int sent = 2;
    for (int i = 1; i < 20; i++) {
        rt_sender_nack(r.sender, &sequence, 1, START + RT_MS(42 + 40 * i));
        sent += write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(42 + 40 * i));
    }
    CHECK_EQ(sent, 10);
    rig_free(&r);
}

static void nack_storms_are_bounded(void)
{
    rig r;
    rig_init(&r, true);
    for (int i = 0; i < 300; i++) {
        send_frame(&r, 10, 400, 0, 0, START);
        for (int k = 0; k < 10; k++)
            CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    }
    uint16_t last = r.rtp.sequence, all[3500];
    for (int i = 0; i < 3500; i++)
        all[i] = (uint16_t)(last - 3000 + 250 + i); /* some are not sent yet */
    for (int i = 0; i < 100; i++)
        rt_sender_nack(r.sender, all, 3500, START + RT_MS(1));
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_RETRANSMISSION), 1024 * 400);
    rt_sender_stats stats = stats_of(&r);
    CHECK_EQ(stats.nacks, 100);
    CHECK_EQ(stats.nacked_packets, 350000);
    CHECK_EQ(stats.nacks_unanswered, 350000 - 1024);
    /* What has become too old meanwhile is passed over. */
    send_frame(&r, 1, 400, 0, 0, START + RT_SECONDS(5));
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_SECONDS(5)));
    CHECK(!write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_SECONDS(5)));
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_RETRANSMISSION), 0);
    CHECK_EQ(stats_of(&r).nacks_unanswered, 350000);
    rig_free(&r);
}

static void history_is_bounded(void)
{
    rig r;
    rig_init(&r, true);
    for (int i = 0; i < 5000; i++) {
        rt_time now = START + RT_MS(i);
        send_frame(&r, 2, 1200, 0, i, now);
        CHECK(write_one(&r, RT_SENDER_MEDIA, now) && write_one(&r, RT_SENDER_MEDIA, now));
        CHECK(stats_of(&r).history_bytes <= ((size_t)2 << 20) + 2400);
    }
    CHECK(stats_of(&r).history_bytes > (size_t)2 << 19);
    /* By time: after a pause the next frame clears it. */
    send_frame(&r, 1, 100, 0, 0, START + RT_SECONDS(9));
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_SECONDS(9)));
    CHECK_EQ(stats_of(&r).history_bytes, 100);
    rig_free(&r);
}

static void an_old_queue_is_dropped_by_frames(void)
{
    rig r;
    rig_init(&r, true);
    send_frame(&r, 2, 100, RT_FRAME_KEY, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START)); /* begun */
    for (int i = 1; i <= 30; i++)
        send_frame(&r, 2, 100, 0, i * 3000, START + RT_MS(i * 100));
    /* The begun frame goes to its end; all others were too old, or waited for one that was. */
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_MEDIA), 100);
    CHECK(rt_sender_key_frame_needed(r.sender));
    CHECK(!rt_sender_key_frame_needed(r.sender));
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(3000)));
    CHECK(r.rtp.marker);
    CHECK(!write_one(&r, RT_SENDER_MEDIA, START + RT_MS(3000)));
    CHECK_EQ(stats_of(&r).frames_dropped, 30);
    send_frame(&r, 1, 100, RT_FRAME_KEY, 99000, START + RT_MS(3100));
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(3100)));
    send_frame(&r, 1, 100, 0, 99000, START + RT_MS(3200));
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(3200)));
    rig_free(&r);
}

static void a_large_queue_is_dropped_up_to_a_key_frame(void)
{
    rig r;
    r = (rig){0};
    rig_extensions(&r);
    rt_sender_config config = config_of(&r, true);
    config.queue_bytes = 5000;
    r.sender = rt_sender_new(&config);
    send_frame(&r, 1, 1000, RT_FRAME_KEY, 0, START);
    send_frame(&r, 1, 1000, 0, 1, START);
    send_frame(&r, 1, 1000, 0, 2, START);
    send_frame(&r, 1, 1000, RT_FRAME_KEY, 3, START);
    send_frame(&r, 1, 1000, 0, 4, START);
    CHECK_EQ(stats_of(&r).frames_dropped, 0);
    send_frame(&r, 1, 1000, 0, 5, START);
    CHECK_EQ(stats_of(&r).frames_dropped, 3);
    CHECK(!rt_sender_key_frame_needed(r.sender));
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_MEDIA), 3000);
    rig_free(&r);
}

static void inactive_drops_and_refuses(void)
{
    rig r;
    rig_init(&r, true);
    send_frame(&r, 3, 100, RT_FRAME_KEY, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    uint16_t sequence = r.rtp.sequence;
    rt_sender_set_active(r.sender, false);
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_MEDIA), 0);
    CHECK(!write_one(&r, RT_SENDER_MEDIA, START));
    CHECK_EQ(send_frame(&r, 1, 100, 0, 0, START), RT_CLOSED);
    rt_sender_set_active(r.sender, true);
    CHECK_EQ(send_frame(&r, 1, 100, RT_FRAME_KEY, 0, START), RT_OK);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    /* A hole tells that the first frame is not whole. */
    CHECK_EQ(r.rtp.sequence, (uint16_t)(sequence + 2));
    rig_free(&r);
}

/* A second; the last 128 packets of video three. */
static void few_packets_are_kept_longer(void)
{
    rig r;
    rig_init(&r, true);
    send_frame(&r, 1, 100, RT_FRAME_KEY, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    uint16_t first = r.rtp.sequence;
    rt_time now = START;
    for (int frame = 1; frame <= 127; frame++) {
        now = START + frame * RT_MS(20);
        send_frame(&r, 1, 100, 0, (uint32_t)frame * 1800, now);
        CHECK(write_one(&r, RT_SENDER_MEDIA, now));
    }
    rt_sender_nack(r.sender, &first, 1, now);
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, now));
    for (int frame = 128; frame <= 129; frame++) {
        send_frame(&r, 1, 100, 0, (uint32_t)frame * 1800, now);
        CHECK(write_one(&r, RT_SENDER_MEDIA, now));
    }
    rt_sender_nack(r.sender, &first, 1, now + RT_MS(100));
    CHECK_EQ(stats_of(&r).nacks_unanswered, 1); /* there are more by now */
    uint16_t last = r.rtp.sequence;
    now += RT_SECONDS(4);
    send_frame(&r, 1, 100, 0, 400000, now);
    CHECK(write_one(&r, RT_SENDER_MEDIA, now));
    rt_sender_nack(r.sender, &last, 1, now);
    CHECK_EQ(stats_of(&r).nacks_unanswered, 2);
    rig_free(&r);
}

static void history_outlives_a_hold(void)
{
    rig r;
    rig_init(&r, true);
    send_frame(&r, 2, 100, RT_FRAME_KEY, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    uint16_t first = r.rtp.sequence;
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    rt_sender_nack(r.sender, &first, 1, START + RT_MS(10));
    rt_sender_set_active(r.sender, false);
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_RETRANSMISSION), 0);
    rt_sender_nack(r.sender, &first, 1, START + RT_MS(50));
    CHECK_EQ(stats_of(&r).nacks_unanswered, 1);
    CHECK(!write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(50)));
    rt_sender_set_active(r.sender, true);
    rt_sender_nack(r.sender, &first, 1, START + RT_MS(100));
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_MS(100)));
    CHECK_EQ(r.rtp.ssrc, RTX_SSRC);
    CHECK_EQ(send_frame(&r, 1, 100, RT_FRAME_KEY, 3000, START + RT_MS(110)), RT_OK);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(110)));
    CHECK_EQ(r.rtp.sequence, (uint16_t)(first + 2));
    rig_free(&r);
}

static void reports_map_the_clocks(void)
{
    rig r;
    rig_init(&r, true);
    rt_rtcp_report report;
    CHECK(!rt_sender_report(r.sender, &report, ntp_of(START), START));
    send_frame(&r, 2, 500, RT_FRAME_KEY, 12345, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(10)));
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(10)));
    rt_time now = START + RT_MS(500);
    CHECK(rt_sender_report(r.sender, &report, ntp_of(now), now));
    CHECK_EQ(report.ssrc, SSRC);
    CHECK(report.sender);
    CHECK_EQ(report.ntp, ntp_of(now));
    CHECK_EQ(report.rtp_time - r.rtp.timestamp, 45000); /* half a second after it was captured */
    CHECK_EQ(report.packets, 2);
    CHECK_EQ(report.bytes, 1000);
    CHECK_EQ(report.blocks, 0);
    rig_free(&r);
}

static void extensions_of_a_frame(void)
{
    rig r;
    rig_init(&r, true);
    rt_payloads *payloads = payloads_of(1, 80);
    rt_frame *frame = rt_frame_new(0);
    frame->flags = RT_FRAME_VOICE;
    frame->audio_level = -42;
    frame->rotation = 3;
    rt_sender_send(r.sender, payloads, frame, START - RT_MS(20), START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    CHECK_EQ(r.values.audio_level, 42);
    CHECK(r.values.voice);
    CHECK_EQ(r.values.orientation, 3);
    CHECK_EQ(RT_RTP_HAS(&r.values, RT_RTP_ABS_CAPTURE_TIME), 1);
    CHECK(r.values.capture_time - ntp_of(START - RT_MS(20)) + 8 < 16);
    /* Capture time once per second; level and rotation as the frames have them. */
    frame->flags = 0;
    frame->rotation = 0;
    frame->audio_level = RT_FRAME_NO_LEVEL;
    rt_sender_send(r.sender, payloads, frame, START, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(999)));
    CHECK_EQ(r.values.present &
                 (1u << RT_RTP_AUDIO_LEVEL | 1u << RT_RTP_VIDEO_ORIENTATION | 1u << RT_RTP_ABS_CAPTURE_TIME),
             0);
    frame->captured = 0x1234567890ABCDEF;
    rt_sender_send(r.sender, payloads, frame, START, START + RT_MS(1000));
    CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_MS(1000)));
    CHECK_EQ(r.values.capture_time, 0x1234567890ABCDEF);
    rt_frame_unref(frame);
    rt_payloads_unref(payloads);
    rig_free(&r);
}

static void probes_repeat_old_packets(void)
{
    rig r;
    rig_init(&r, true);
    uint8_t room[2048];
    rt_buffer buffer = rt_buffer_of(room, sizeof room);
    CHECK_EQ(rt_sender_write_padding(r.sender, buffer, 1000, 1, ntp_of(START), START), 0);
    send_frame(&r, 2, 800, 0, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START) && write_one(&r, RT_SENDER_MEDIA, START));
    uint16_t sequence = r.rtp.sequence;
    send_frame(&r, 1, 50, 0, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    size_t size = rt_sender_write_padding(r.sender, buffer, 1000, 1, ntp_of(START), START);
    rt_rtp rtp;
    CHECK_EQ(rt_rtp_parse(rt_span_of(room, size), &rtp), RT_OK);
    CHECK_EQ(rtp.ssrc, RTX_SSRC);
    CHECK_EQ(rtp.padding, 200);
    CHECK_EQ(rt_rtx_unwrap(&rtp, SSRC, 96), RT_OK);
    CHECK_EQ(rtp.sequence, sequence);
    CHECK_EQ(rtp.payload.size, 800);
    CHECK_EQ(stats_of(&r).padding_bytes, size);
    CHECK_EQ(stats_of(&r).retransmitted_packets, 0);
    rig_free(&r);

    rig_init(&r, false);
    send_frame(&r, 2, 800, 0, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    CHECK_EQ(rt_sender_write_padding(r.sender, buffer, 1000, 1, ntp_of(START), START), 0);
    rig_free(&r);
}

/* A negotiation takes extensions away while a frame is on its way: its packets keep their header, and leave. */
static void extensions_go_within_a_frame(void)
{
    rig r;
    rig_init(&r, false);
    send_frame(&r, 3, 1000, RT_FRAME_KEY, 0, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    uint16_t first = r.rtp.sequence;
    r.map = (rt_rtp_extension_map){0};
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    CHECK_EQ(rt_sender_queued(r.sender, RT_SENDER_MEDIA), 0);
    rt_sender_nack(r.sender, &first, 1, START);
    CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START));
    CHECK_EQ(r.rtp.sequence, first);
    send_frame(&r, 1, 1000, 0, 3000, START);
    CHECK(write_one(&r, RT_SENDER_MEDIA, START));
    CHECK_EQ(r.rtp.extensions.size, 0);
    rig_free(&r);
}

static void sequence_numbers_turn_over(void)
{
    rig r;
    rig_init(&r, true);
    uint16_t sequence = 0;
    for (int i = 0; i < 70000; i++) {
        send_frame(&r, 1, 10, 0, i, START + RT_US(i * 100));
        CHECK(write_one(&r, RT_SENDER_MEDIA, START + RT_US(i * 100)));
        if (i)
            CHECK_EQ(r.rtp.sequence, (uint16_t)(sequence + 1));
        sequence = r.rtp.sequence;
        if (i % 1000 == 999) {
            uint16_t lost = (uint16_t)(sequence - 500);
            rt_sender_nack(r.sender, &lost, 1, START + RT_US(i * 100));
            CHECK(write_one(&r, RT_SENDER_RETRANSMISSION, START + RT_US(i * 100)));
            CHECK_EQ(rt_rtx_unwrap(&r.rtp, SSRC, 96), RT_OK);
            CHECK_EQ(r.rtp.sequence, lost);
        }
    }
    rig_free(&r);
}

int main(int argc, char **argv)
{
    RUN(a_frame_becomes_packets);
    RUN(names_until_the_first_report_block);
    RUN(rtx_carries_the_original_number);
    RUN(in_place_is_the_same_packet);
    RUN(once_per_round_trip);
    RUN(nack_storms_are_bounded);
    RUN(history_is_bounded);
    RUN(an_old_queue_is_dropped_by_frames);
    RUN(a_large_queue_is_dropped_up_to_a_key_frame);
    RUN(inactive_drops_and_refuses);
    RUN(few_packets_are_kept_longer);
    RUN(history_outlives_a_hold);
    RUN(reports_map_the_clocks);
    RUN(extensions_of_a_frame);
    RUN(probes_repeat_old_packets);
    RUN(extensions_go_within_a_frame);
    RUN(sequence_numbers_turn_over);
    CHECK_MAIN_END;
}
