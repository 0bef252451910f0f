/* Which stream a packet belongs to: RFC 9143 section 9.2, RFC 8852, RFC 4588. */
#include "media_forge.h"

enum { OTHER_VP8 = 98, OTHER_VIDEO = 2 };

/* End 1 receives: audio by a told SSRC (1000), video by one with its RTX (2000, 2100). */
static media_world *world_of_two(void)
{
    media_world *w = media_world_new(1);
    media_world_audio(w, 0);
    media_world_video(w, 0, 1);
    w->ends[0].sources[MEDIA_AUDIO][0].runs = w->ends[0].sources[MEDIA_VIDEO][0].runs = false;
    media_world_start(w);
    return w;
}

/* A second section of video, of which nothing is told but its MID; payload types are its own, or the first one's. */
static void add_other_video(media_world *w, uint8_t payload_type)
{
    media_end *end = &w->ends[1];
    end->sections[OTHER_VIDEO] = end->sections[MEDIA_VIDEO];
    end->formats[OTHER_VIDEO][0] = end->formats[MEDIA_VIDEO][0];
    end->formats[OTHER_VIDEO][0].payload_type = payload_type;
    rt_media_section *section = &end->sections[OTHER_VIDEO];
    section->mid = media_text("v2");
    section->formats = end->formats[OTHER_VIDEO];
    section->source_count = 0;
    if (payload_type == MEDIA_VP8)
        section->formats = end->formats[MEDIA_VIDEO];
    else
        end->formats[OTHER_VIDEO][0].rtx_payload_type = RT_MEDIA_NO_FORMAT;
    media_end_set(w, 1, OTHER_VIDEO);
}

static bool stream_of(media_world *w, uint32_t ssrc, uint8_t *section, uint8_t *encoding)
{
    size_t at = 0;
    rt_media_stream stream;
    while (rt_media_stream_next(w->ends[1].media, &at, &stream, w->now)) {
        if (stream.inbound && stream.receiver.ssrc == ssrc) {
            *section = stream.section;
            *encoding = stream.encoding;
            return true;
        }
    }
    return false;
}

#define CHECK_STREAM(w, ssrc, want_section, want_encoding)                                                             \
    do {                                                                                                               \
        uint8_t section = 255, encoding = 255;                                                                         \
        CHECK(stream_of(w, ssrc, &section, &encoding));                                                                \
        CHECK_EQ(section, want_section);                                                                               \
        CHECK_EQ(encoding, want_encoding);                                                                             \
    } while (0)

static bool has_stream(media_world *w, uint32_t ssrc)
{
    uint8_t section, encoding;
    return stream_of(w, ssrc, &section, &encoding);
}

static void test_a_told_ssrc(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_OPUS, .ssrc = 1000, .sequence = 1}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 1, .marker = true}), RT_OK);
    CHECK_STREAM(w, 1000, MEDIA_AUDIO, 0);
    CHECK_STREAM(w, 2000, MEDIA_VIDEO, 0);
    CHECK_EQ(w->ends[1].streams, 2);
    media_world_free(w);
}

static void test_a_mid_binds_its_ssrc(void)
{
    media_world *w = world_of_two();
    add_other_video(w, MEDIA_VP8);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 7, .sequence = 1, .mid = "v2"}), RT_OK);
    CHECK_STREAM(w, 7, OTHER_VIDEO, 0);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 7, .sequence = 2}), RT_OK); /* once is enough */
    CHECK_EQ(forge_stats(w).unknown_ssrc, 0);
    media_world_free(w);
}

static void test_an_unknown_mid_is_dropped(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 1, .mid = "zz"}), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).unknown_ssrc, 1);
    CHECK(!has_stream(w, 2000));
    media_world_free(w);
}

/* "If the packet has a MID, and the packet's extended sequence number is greater than that of the last MID update ...
 * update the mapping". */
static void test_another_mid_moves_the_ssrc(void)
{
    media_world *w = world_of_two();
    add_other_video(w, MEDIA_VP8);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 7, .sequence = 1, .mid = "v"}), RT_OK);
    CHECK_STREAM(w, 7, MEDIA_VIDEO, 0);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 7, .sequence = 2, .mid = "v2"}), RT_OK);
    CHECK_STREAM(w, 7, OTHER_VIDEO, 0);
    CHECK_EQ(w->ends[1].ended, 1);
    CHECK_EQ(w->ends[1].streams, 2);
    media_world_free(w);
}

static void test_a_mid_overrules_what_was_told(void)
{
    media_world *w = world_of_two();
    add_other_video(w, MEDIA_VP8);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 1, .mid = "v2"}), RT_OK);
    CHECK_STREAM(w, 2000, OTHER_VIDEO, 0);
    media_world_free(w);
}

static void test_a_payload_type_of_one_section_only(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_OPUS, .ssrc = 5, .sequence = 1}), RT_OK);
    CHECK_STREAM(w, 5, MEDIA_AUDIO, 0);
    add_other_video(w, OTHER_VP8);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 6, .sequence = 1}), RT_OK);
    CHECK_STREAM(w, 6, MEDIA_VIDEO, 0);
    media_world_free(w);
}

static void test_a_payload_type_of_two_sections(void)
{
    media_world *w = world_of_two();
    add_other_video(w, MEDIA_VP8);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 5, .sequence = 1}), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).unknown_ssrc, 1);
    media_world_free(w);
}

static void test_a_payload_type_of_no_section(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = 120, .ssrc = 5, .sequence = 1}), RT_NOT_FOUND);
    CHECK_EQ(forge(w, &(forged){.payload_type = 120, .ssrc = 1000, .sequence = 1}), RT_NOT_FOUND);
    CHECK_EQ(forge(w, &(forged){.payload_type = 120, .ssrc = 9, .sequence = 1, .mid = "v"}), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).unknown_payload_type, 3);
    CHECK_EQ(w->ends[1].streams, 0);
    media_world_free(w);
}

static void test_a_known_ssrc_with_another_sections_payload_type(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_OPUS, .ssrc = 1000, .sequence = 1}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 1000, .sequence = 2}), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).unknown_payload_type, 1);
    media_world_free(w);
}

/* RTCP's SDES MID does as the header extension's. */
static void test_a_mid_in_sdes(void)
{
    media_world *w = world_of_two();
    add_other_video(w, MEDIA_VP8);
    uint8_t memory[64];
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_rtcp_write_report(&writer, &(rt_rtcp_report){.ssrc = 7}, NULL);
    rt_rtcp_write_sdes(&writer, &(rt_rtcp_item){.ssrc = 7, .type = RT_SDES_MID, .text = rt_span_text("v2")}, 1);
    CHECK_EQ(media_world_forge(w, 1, rt_span_of(memory, rt_writer_size(&writer))), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 7, .sequence = 1}), RT_OK);
    CHECK_STREAM(w, 7, OTHER_VIDEO, 0);
    media_world_free(w);
}

/* ---- RID ---- */

static media_world *world_of_simulcast(void)
{
    media_world *w = media_world_new(1);
    media_world_video(w, 0, 3); /* q, h, f */
    for (int i = 0; i < 3; i++)
        w->ends[0].sources[MEDIA_VIDEO][i].runs = false;
    media_world_start(w);
    return w;
}

static void test_rids_tell_the_encodings(void)
{
    media_world *w = world_of_simulcast();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 30, .sequence = 1, .mid = "v", .rid = "f"}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 10, .sequence = 1, .mid = "v", .rid = "q"}), RT_OK);
    CHECK_STREAM(w, 30, MEDIA_VIDEO, 2);
    CHECK_STREAM(w, 10, MEDIA_VIDEO, 0);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 40, .sequence = 1, .rid = "?"}), RT_NOT_FOUND);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 41, .sequence = 1, .mid = "v"}), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).unknown_ssrc, 2);
    media_world_free(w);
}

static void test_a_rid_with_another_ssrc_takes_over(void)
{
    media_world *w = world_of_simulcast();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 30, .sequence = 1, .rid = "f"}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 31, .sequence = 1, .rid = "f"}), RT_OK);
    CHECK_EQ(w->ends[1].streams, 2);
    CHECK_EQ(w->ends[1].ended, 1);
    CHECK(!has_stream(w, 30));
    CHECK_STREAM(w, 31, MEDIA_VIDEO, 2);
    media_world_free(w);
}

/* ---- RTX ---- */

/* Two packets of a frame: the second comes by RTX only, and completes it. */
static uint64_t recovered_on(media_world *w, uint32_t ssrc)
{
    size_t at = 0;
    rt_media_stream stream;
    while (rt_media_stream_next(w->ends[1].media, &at, &stream, w->now)) {
        if (stream.inbound && stream.receiver.ssrc == ssrc)
            return stream.receiver.packets_recovered;
    }
    return 0;
}

static void test_rtx_by_the_told_pair(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 1, .marker = true}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 3, .timestamp = 6000}), RT_OK);
    CHECK_EQ(
        forge(w,
              &(forged){
                  .payload_type = MEDIA_VP8_RTX, .ssrc = 2100, .sequence = 900, .timestamp = 3000, .original = 2 + 1}),
        RT_OK);
    CHECK_EQ(recovered_on(w, 2000), 1);
    media_world_free(w);
}

static void test_rtx_by_the_repaired_rid(void)
{
    media_world *w = world_of_simulcast();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 10, .sequence = 1, .rid = "q"}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 30, .sequence = 1, .rid = "f"}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 30, .sequence = 3, .timestamp = 6000}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8_RTX,
                                .ssrc = 31,
                                .sequence = 1,
                                .timestamp = 3000,
                                .repaired_rid = "f",
                                .original = 2 + 1}),
             RT_OK);
    CHECK_EQ(recovered_on(w, 30), 1);
    CHECK_EQ(recovered_on(w, 10), 0);
    media_world_free(w);
}

static void test_rtx_of_the_only_stream(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 55, .sequence = 1, .mid = "v"}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 55, .sequence = 3, .timestamp = 6000}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8_RTX,
                                .ssrc = 56,
                                .sequence = 1,
                                .timestamp = 3000,
                                .mid = "v",
                                .original = 2 + 1}),
             RT_OK);
    CHECK_EQ(recovered_on(w, 55), 1);
    media_world_free(w);
}

static void test_rtx_of_nobody(void)
{
    media_world *w = world_of_two();
    forged rtx = {.payload_type = MEDIA_VP8_RTX, .ssrc = 2100, .sequence = 1, .original = 2 + 1};
    CHECK_EQ(forge(w, &rtx), RT_NOT_FOUND); /* before the first packet of 2000 */
    CHECK_EQ(forge_stats(w).unknown_ssrc, 1);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 1}), RT_OK);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8_RTX, .ssrc = 2000, .sequence = 2}), RT_NOT_FOUND);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2100, .sequence = 2}), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).unknown_payload_type, 2); /* media where repairs belong, and the other way round */
    media_world_free(w);
}

/* Browsers probe the path with RTX packets that hold padding alone. */
static void test_padding_on_rtx(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 1, .marker = true}), RT_OK);
    uint8_t memory[12 + 224] = {0};
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_rtp header = {.payload_type = MEDIA_VP8_RTX, .ssrc = 2100, .sequence = 1, .padding = 224};
    rt_rtp_extension_map none = {0};
    rt_rtp_values values = {.present = 0};
    CHECK_EQ(rt_rtp_write_header(&writer, &header, &none, &values), RT_OK);
    memory[sizeof memory - 1] = 224;
    CHECK_EQ(media_world_forge(w, 1, rt_span_of(memory, sizeof memory)), RT_OK);
    memory[sizeof memory - 1] = 223; /* one byte of payload: no number */
    CHECK_EQ(media_world_forge(w, 1, rt_span_of(memory, sizeof memory)), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).malformed, 1);
    CHECK_EQ(recovered_on(w, 2000), 0);
    media_world_free(w);
}

/* ---- the rest ---- */

static void test_our_own_ssrc_is_a_collision(void)
{
    media_world *w = world_of_two();
    media_world_video(w, 1, 1); /* end 1 sends 2000 now */
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 1}), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).collisions, 1);
    media_world_free(w);
}

static void test_a_section_that_does_not_receive(void)
{
    media_world *w = world_of_two();
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 1}), RT_OK);
    w->ends[1].sections[MEDIA_VIDEO].receive = false;
    media_end_set(w, 1, MEDIA_VIDEO);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 2}), RT_NOT_FOUND);
    CHECK_EQ(forge_stats(w).unwanted, 1);
    CHECK_EQ(w->ends[1].ended, 1);
    w->ends[1].sections[MEDIA_VIDEO].receive = true;
    media_end_set(w, 1, MEDIA_VIDEO);
    CHECK_EQ(forge(w, &(forged){.payload_type = MEDIA_VP8, .ssrc = 2000, .sequence = 3}), RT_OK);
    CHECK_EQ(w->ends[1].streams, 2);
    media_world_free(w);
}

int main(int argc, char **argv)
{
    RUN(test_a_told_ssrc);
    RUN(test_a_mid_binds_its_ssrc);
    RUN(test_an_unknown_mid_is_dropped);
    RUN(test_another_mid_moves_the_ssrc);
    RUN(test_a_mid_overrules_what_was_told);
    RUN(test_a_payload_type_of_one_section_only);
    RUN(test_a_payload_type_of_two_sections);
    RUN(test_a_payload_type_of_no_section);
    RUN(test_a_known_ssrc_with_another_sections_payload_type);
    RUN(test_a_mid_in_sdes);
    RUN(test_rids_tell_the_encodings);
    RUN(test_a_rid_with_another_ssrc_takes_over);
    RUN(test_rtx_by_the_told_pair);
    RUN(test_rtx_by_the_repaired_rid);
    RUN(test_rtx_of_the_only_stream);
    RUN(test_rtx_of_nobody);
    RUN(test_padding_on_rtx);
    RUN(test_our_own_ssrc_is_a_collision);
    RUN(test_a_section_that_does_not_receive);
    CHECK_MAIN_END;
}
