/* RTCP of the media: what is said, in which datagrams, and what is done about what others say. */
#include "media_forge.h"

enum { RTCP_TRAILER = 20, HEARD_MAX = 256, MANY = 40 };

/* All RTCP packets that end 1 (or 0) has sent, in plain. */
typedef struct heard {
    int from;
    uint32_t datagrams, packets;
    uint8_t types[HEARD_MAX], counts[HEARD_MAX];
    uint32_t in_datagram[HEARD_MAX]; /* place within its datagram */
    uint8_t last[1500];              /* the last datagram */
    size_t last_size;
} heard;

static bool listen(media_world *w, int from, rt_span packet)
{
    heard *h = w->context;
    if (from != h->from || !rt_is_rtcp(packet))
        return true;
    rt_reader reader = rt_reader_of(rt_span_of(packet.data, packet.size - RTCP_TRAILER));
    rt_rtcp one;
    rt_status status = RT_OK;
    for (uint32_t place = 0; rt_rtcp_next(&reader, &one, &status) && h->packets < HEARD_MAX; place++) {
        h->types[h->packets] = one.type;
        h->counts[h->packets] = one.count;
        h->in_datagram[h->packets++] = place;
    }
    CHECK_EQ(status, RT_OK);
    h->datagrams++;
    h->last_size = packet.size - RTCP_TRAILER;
    memcpy(h->last, packet.data, h->last_size);
    return true;
}

static uint32_t count(const heard *h, uint8_t type, int format)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < h->packets; i++)
        found += h->types[i] == type && (format < 0 || h->counts[i] == format);
    return found;
}

static media_world *world_hearing(heard *h, int from)
{
    media_world *w = media_world_new(1);
    *h = (heard){.from = from};
    w->filter = listen;
    w->context = h;
    return w;
}

static rt_status forge_rtcp(media_world *w, int end, const rt_writer *writer)
{
    rt_status status = media_world_forge(w, end, rt_span_of(writer->start, rt_writer_size(writer)));
    media_world_flush(w);
    return status;
}

/* ---- what is said ---- */

static void test_reports_are_compounds(void)
{
    heard h;
    media_world *w = world_hearing(&h, 0);
    media_world_audio(w, 0);
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(10));
    CHECK(count(&h, RT_RTCP_SR, -1) >= 14 && count(&h, RT_RTCP_SR, -1) <= 30); /* two in a datagram, each second */
    for (uint32_t i = 0; i < h.packets; i++) {
        CHECK(h.in_datagram[i] || h.types[i] == RT_RTCP_SR); /* RFC 3550 section 6.1: a report first */
        CHECK(h.in_datagram[i] != 2 || h.types[i] == RT_RTCP_SDES);
    }
    CHECK_EQ(count(&h, RT_RTCP_SDES, 2), h.datagrams);
    media_world_free(w);
}

static void test_receivers_ask_for_their_round_trip(void)
{
    heard h;
    media_world *w = world_hearing(&h, 1);
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(5));
    CHECK(count(&h, RT_RTCP_RR, 1) >= 3);
    CHECK_EQ(count(&h, RT_RTCP_XR, -1), count(&h, RT_RTCP_RR, 1));
    CHECK(count(&h, RT_RTCP_RTPFB, RT_RTPFB_TWCC) >= 20);
    rt_media_stats stats = forge_stats(w);
    CHECK(stats.bandwidth.round_trip > RT_MS(19) && stats.bandwidth.round_trip < RT_MS(25)); /* DLRR was answered */
    CHECK(stats.twcc_sent >= 20);
    media_world_free(w);
}

/* RFC 5506: feedback alone where it was agreed; else behind an RR and an SDES. */
static void test_reduced_size(void)
{
    for (int reduced = 0; reduced < 2; reduced++) {
        heard h;
        media_world *w = world_hearing(&h, 1);
        media_world_video(w, 0, 1);
        w->ends[1].sections[MEDIA_VIDEO].reduced_size = reduced;
        media_end_set(w, 1, MEDIA_VIDEO);
        media_world_start(w);
        media_world_run(w, RT_MS(300)); /* transport-wide feedback, no report as yet */
        CHECK(h.datagrams > 0);
        CHECK_EQ(h.types[0], reduced ? RT_RTCP_RTPFB : RT_RTCP_RR);
        if (!reduced) {
            CHECK_EQ(h.types[1], RT_RTCP_SDES);
            CHECK_EQ(h.types[2], RT_RTCP_RTPFB);
        }
        media_world_free(w);
    }
}

static void test_nothing_is_said_where_nothing_goes_on(void)
{
    heard h;
    media_world *w = world_hearing(&h, 1);
    media_world_video(w, 0, 1);
    w->ends[0].sources[MEDIA_VIDEO][0].runs = false;
    media_world_start(w);
    CHECK_EQ(rt_media_deadline(w->ends[1].media), RT_NEVER);
    media_world_run(w, RT_SECONDS(60));
    CHECK_EQ(w->ends[0].packets + w->ends[1].packets, 0);
    media_world_free(w);
}

/* More streams than a report has blocks: all are reported, and no datagram is too large. */
static void hear_many_streams(uint32_t mtu)
{
    heard h = {.from = 1};
    rt_media_config config;
    rt_media_config_default(&config);
    config.mtu = mtu;
    media_world *w = media_world_configured(1, &config);
    w->filter = listen;
    w->context = &h;
    media_end *end = &w->ends[1];
    media_world_audio(w, 0);
    w->ends[0].sources[MEDIA_AUDIO][0].runs = false;
    rt_media_section section = end->sections[MEDIA_AUDIO];
    section.source_count = 0;
    char mid[4];
    for (int i = 0; i < MANY; i++) {
        snprintf(mid, sizeof mid, "%d", i);
        section.mid = media_text(mid);
        CHECK_EQ(rt_media_set_section(end->media, (uint8_t)(10 + i), &section, w->now), RT_OK);
    }
    end->stopped = true; /* the harness knows few sections only */
    media_world_start(w);
    end->sections[MEDIA_VIDEO].extensions = section.extensions;
    for (uint16_t k = 0; k < 3; k++) {
        for (uint32_t i = 0; i < MANY; i++) {
            snprintf(mid, sizeof mid, "%u", i);
            CHECK_EQ(forge(w,
                           &(forged){
                               .payload_type = MEDIA_OPUS, .ssrc = 100 + i, .sequence = (uint16_t)(1 + k), .mid = mid}),
                     RT_OK);
        }
    }
    rt_media_event event;
    w->now += RT_SECONDS(10);
    while (rt_media_event_next(end->media, &event, w->now)) {
        if (event.type == RT_MEDIA_EVENT_FRAME)
            rt_frame_unref(event.frame);
    }
    h.packets = h.datagrams = 0;
    rt_media_expire(end->media, w->now);
    media_world_flush(w);
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < h.packets; i++)
        blocks += h.types[i] == RT_RTCP_RR ? h.counts[i] : 0;
    CHECK_EQ(blocks, MANY);
    media_world_free(w);
}

static void test_many_streams(void)
{
    hear_many_streams(1200);
    hear_many_streams(576);
}

static void test_good_byes(void)
{
    heard h;
    media_world *w = world_hearing(&h, 0);
    media_world_audio(w, 0);
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_MS(100));
    rt_media_remove_section(w->ends[0].media, MEDIA_VIDEO, w->now);
    w->ends[0].sources[MEDIA_VIDEO][0].runs = false;
    media_world_flush(w);
    CHECK_EQ(count(&h, RT_RTCP_BYE, 1), 1);
    rt_media_close(w->ends[0].media, w->now);
    rt_media_close(w->ends[0].media, w->now);
    media_world_flush(w);
    CHECK_EQ(count(&h, RT_RTCP_BYE, 1), 2);
    CHECK_EQ(rt_media_deadline(w->ends[0].media), RT_NEVER);
    CHECK_EQ(rt_media_send(w->ends[0].media, MEDIA_AUDIO, 0, &(rt_frame){.codec = RT_CODEC_OPUS}, rt_span_text("x"),
                           w->now, w->now),
             RT_CLOSED);
    media_world_free(w);
}

/* ---- what others say ---- */

static media_world *sending_world(void)
{
    media_world *w = media_world_new(1);
    media_world_video(w, 0, 1);
    media_world_start(w);
    media_world_run(w, RT_SECONDS(2));
    w->ends[0].key_requests = 0;
    return w;
}

static void test_a_pli_asks_for_a_key_frame(void)
{
    media_world *w = sending_world();
    uint8_t memory[64];
    for (int i = 0; i < 20; i++) { /* more often than an encoder should be asked */
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        rt_rtcp_write_pli(&writer, 7, 2000);
        CHECK_EQ(forge_rtcp(w, 0, &writer), RT_OK);
    }
    CHECK_EQ(w->ends[0].key_requests, 1);
    media_world_run(w, RT_SECONDS(2));
    CHECK_EQ(w->ends[0].key_requests, 2); /* those that came too soon are one */
    size_t at = 0;
    rt_media_stream stream;
    CHECK(rt_media_stream_next(w->ends[0].media, &at, &stream, w->now));
    CHECK_EQ(stream.sender.plis, 20);
    media_world_free(w);
}

/* Who asks all the time gets fewer and fewer; who asks again after a while gets one at once. */
static void test_plis_without_end(void)
{
    media_world *w = sending_world();
    media_world_run(w, RT_SECONDS(4));
    uint8_t memory[64];
    for (int i = 0; i < 2000; i++) {
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        rt_rtcp_write_pli(&writer, 7, 2000);
        CHECK_EQ(forge_rtcp(w, 0, &writer), RT_OK);
        media_world_run(w, RT_MS(10));
    }
    CHECK(w->ends[0].key_requests >= 20 && w->ends[0].key_requests <= 23); /* at 0, 0.25, 0.75, 1.75, 2.75 ... */
    media_world_run(w, RT_SECONDS(7));
    uint32_t before = w->ends[0].key_requests;
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_rtcp_write_pli(&writer, 7, 2000);
    CHECK_EQ(forge_rtcp(w, 0, &writer), RT_OK);
    CHECK_EQ(w->ends[0].key_requests, before + 1);
    media_world_free(w);
}

/* One datagram may hold dozens, each of which speaks of all that is in flight. */
static void test_much_feedback_at_once(void)
{
    media_world *w = sending_world();
    uint8_t memory[1200];
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    static rt_twcc_packet packets[400];
    for (int i = 0; i < 40; i++)
        CHECK_EQ(rt_rtcp_write_twcc(&writer, 7, 2000, 0, (uint8_t)i, packets, 400), 400);
    rt_media_stats before, after;
    rt_media_get_stats(w->ends[0].media, &before);
    CHECK(forge_rtcp(w, 0, &writer) != RT_OK);
    rt_media_get_stats(w->ends[0].media, &after);
    CHECK_EQ(after.twcc_received - before.twcc_received, 8);
    CHECK_EQ(after.rtcp_malformed - before.rtcp_malformed, 1);
    media_world_free(w);
}

/* RFC 5104 section 4.3.1: repetitions have the same number. */
static void test_a_fir_counts_once(void)
{
    media_world *w = sending_world();
    uint8_t memory[64];
    for (int i = 0; i < 6; i++) {
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        rt_rtcp_write_fir(&writer, 7, &(rt_rtcp_fir){.ssrc = 2000, .sequence = (uint8_t)(3 + i / 3)}, 1);
        CHECK_EQ(forge_rtcp(w, 0, &writer), RT_OK);
    }
    media_world_run(w, RT_SECONDS(2));
    CHECK_EQ(w->ends[0].key_requests, 2);
    media_world_free(w);
}

static void test_a_nack_is_answered_once_per_round_trip(void)
{
    media_world *w = sending_world();
    uint8_t memory[64];
    size_t at = 0;
    rt_media_stream before, after;
    CHECK(rt_media_stream_next(w->ends[0].media, &at, &before, w->now));
    for (uint32_t sequence = 0; sequence < 65536; sequence += 17) { /* all numbers: some of them were sent lately */
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        uint16_t wanted[17];
        for (uint16_t i = 0; i < 17; i++)
            wanted[i] = (uint16_t)(sequence + i);
        (void)rt_rtcp_write_nack(&writer, 7, 2000, wanted, 17);
        CHECK_EQ(media_world_forge(w, 0, rt_span_of(memory, rt_writer_size(&writer))), RT_OK);
        CHECK_EQ(media_world_forge(w, 0, rt_span_of(memory, rt_writer_size(&writer))), RT_OK); /* and again */
    }
    media_world_run(w, RT_MS(500));
    at = 0;
    CHECK(rt_media_stream_next(w->ends[0].media, &at, &after, w->now));
    uint64_t resent = after.sender.retransmitted_packets - before.sender.retransmitted_packets;
    CHECK(resent > 30 && resent <= 150); /* what is kept, some 128 packets, each of it once */
    media_world_free(w);
}

static void test_remb_limits_the_target(void)
{
    media_world *w = media_world_new(1);
    media_world_video(w, 0, 1);
    w->ends[0].formats[MEDIA_VIDEO][0].twcc = false;
    w->ends[0].formats[MEDIA_VIDEO][0].remb = true;
    w->ends[0].sections[MEDIA_VIDEO].send_format = w->ends[0].formats[MEDIA_VIDEO][0];
    media_end_set(w, 0, MEDIA_VIDEO);
    w->ends[0].sources[MEDIA_VIDEO][0].follows = true;
    media_world_start(w);
    uint8_t memory[64];
    uint32_t sources[] = {2000};
    for (int i = 0; i < 2; i++) {
        rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
        rt_rtcp_write_remb(&writer, 7, i ? 150000 : 1000000, sources, 1);
        CHECK_EQ(forge_rtcp(w, 0, &writer), RT_OK);
        rt_media_stats stats;
        rt_media_get_stats(w->ends[0].media, &stats);
        CHECK(stats.bandwidth.target > (i ? 149000u : 999000u) && stats.bandwidth.target <= (i ? 150000u : 1000000u));
        uint64_t told = w->ends[0].sources[MEDIA_VIDEO][0].bitrate;
        CHECK(told < stats.bandwidth.target && told > stats.bandwidth.target * 9 / 10); /* less headers */
    }
    media_world_free(w);
}

/* Where the other end has no transport-wide feedback, REMB from abs-send-time does it. */
static void test_we_send_remb(void)
{
    heard h;
    media_world *w = world_hearing(&h, 1);
    media_world_video(w, 0, 1);
    for (int end = 0; end < 2; end++) {
        w->ends[end].formats[MEDIA_VIDEO][0].twcc = false;
        w->ends[end].formats[MEDIA_VIDEO][0].remb = true;
        w->ends[end].sections[MEDIA_VIDEO].extensions.id[RT_RTP_TRANSPORT_SEQUENCE] = 0;
        w->ends[end].sections[MEDIA_VIDEO].extensions.kind[3] = 0;
    }
    w->ends[0].sections[MEDIA_VIDEO].send_format = w->ends[0].formats[MEDIA_VIDEO][0];
    media_end_set(w, 0, MEDIA_VIDEO);
    media_end_set(w, 1, MEDIA_VIDEO);
    w->ends[0].sources[MEDIA_VIDEO][0].follows = true;
    media_world_start(w);
    media_world_run(w, RT_SECONDS(20));
    CHECK_EQ(count(&h, RT_RTCP_RTPFB, RT_RTPFB_TWCC), 0);
    CHECK(count(&h, RT_RTCP_PSFB, RT_PSFB_AFB) >= 10 && count(&h, RT_RTCP_PSFB, RT_PSFB_AFB) <= 60);
    CHECK(forge_stats(w).available_incoming > 300000);
    rt_media_stats sender;
    rt_media_get_stats(w->ends[0].media, &sender);
    CHECK(sender.bandwidth.remb > 0);
    CHECK(w->ends[0].sources[MEDIA_VIDEO][0].bitrate > 400000); /* it ramps up */
    media_world_free(w);
}

static void test_an_unknown_reporter_is_no_harm(void)
{
    media_world *w = sending_world();
    uint8_t memory[256];
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_rtcp_block blocks[2] = {{.ssrc = 999, .fraction_lost = 255, .last_sr = 1, .delay = 0xFFFFFFFF},
                               {.ssrc = 2000, .last_sr = 0x12345678, .delay = 0xFFFFFFFF, .lost = -1}};
    rt_rtcp_write_report(&writer, &(rt_rtcp_report){.ssrc = 5, .blocks = 2}, blocks);
    CHECK_EQ(forge_rtcp(w, 0, &writer), RT_OK);
    rt_media_stats stats;
    rt_media_get_stats(w->ends[0].media, &stats);
    CHECK(stats.bandwidth.round_trip <= RT_SECONDS(10));
    media_world_free(w);
}

int main(int argc, char **argv)
{
    RUN(test_reports_are_compounds);
    RUN(test_receivers_ask_for_their_round_trip);
    RUN(test_reduced_size);
    RUN(test_nothing_is_said_where_nothing_goes_on);
    RUN(test_many_streams);
    RUN(test_good_byes);
    RUN(test_a_pli_asks_for_a_key_frame);
    RUN(test_plis_without_end);
    RUN(test_much_feedback_at_once);
    RUN(test_a_fir_counts_once);
    RUN(test_a_nack_is_answered_once_per_round_trip);
    RUN(test_remb_limits_the_target);
    RUN(test_we_send_remb);
    RUN(test_an_unknown_reporter_is_no_harm);
    CHECK_MAIN_END;
}
