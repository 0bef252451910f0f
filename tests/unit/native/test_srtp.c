/* What proto/srtp adds to the library: bounds on streams, roll-over counters, batches, statuses; with a library that
 * does as it is told. The library itself is tested through Python (tests/unit/test_srtp.py).
 */
#include "check.h"
#include "srtp_fake.h"

enum { SLOT = 128, SIZE = 40 };

static rt_srtp *make(const rt_srtp_library *library, bool outbound, uint32_t max_streams)
{
    static const uint8_t keys[RT_SRTP_KEYS_MAX];
    rt_srtp_config config;
    rt_srtp *session;
    rt_srtp_config_default(&config);
    config.library = library;
    config.profile = RT_SRTP_AEAD_AES_128_GCM;
    config.keys = rt_span_of(keys, 28);
    config.outbound = outbound;
    config.max_streams = max_streams;
    CHECK_EQ(rt_srtp_new(&config, &session), RT_OK);
    return session;
}

static void write_rtp(uint8_t *packet, uint32_t ssrc, uint16_t sequence)
{
    memset(packet, 0, SIZE);
    packet[0] = 0x80;
    packet[1] = 96;
    rt_store16(packet + 2, sequence);
    rt_store32(packet + 8, ssrc);
}

static rt_status send(rt_srtp *session, uint32_t ssrc, uint16_t sequence, uint8_t packet[SLOT], size_t *size)
{
    write_rtp(packet, ssrc, sequence);
    *size = SIZE;
    return rt_srtp_protect(session, packet, size, SLOT);
}

static void test_configuration(void)
{
    uint8_t keys[28] = {0};
    rt_srtp *session = NULL;
    rt_srtp_config config;
    rt_srtp_config_default(&config);
    config.library = srtp_fake();
    config.profile = (rt_srtp_profile)3;
    config.keys = rt_span_of(keys, sizeof keys);
    CHECK_EQ(rt_srtp_new(&config, &session), RT_UNSUPPORTED);
    config.profile = RT_SRTP_AEAD_AES_256_GCM;
    CHECK_EQ(rt_srtp_new(&config, &session), RT_INVALID);
    config.profile = RT_SRTP_AEAD_AES_128_GCM;
    config.window = 63;
    CHECK_EQ(rt_srtp_new(&config, &session), RT_INVALID);
    config.window = 32768;
    CHECK_EQ(rt_srtp_new(&config, &session), RT_INVALID);
    config.window = 0;
    config.max_streams = 0;
    CHECK_EQ(rt_srtp_new(&config, &session), RT_INVALID);
    CHECK(session == NULL);
}

static void test_streams_inbound(void)
{
    rt_srtp *out = make(srtp_fake(), true, 100), *in = make(srtp_fake(), false, 4);
    uint8_t packet[SLOT];
    size_t size;
    for (uint32_t ssrc = 1; ssrc <= 50; ssrc++) {
        CHECK_EQ(send(out, ssrc, 1, packet, &size), RT_OK);
        CHECK_EQ(rt_srtp_unprotect(in, packet, &size), RT_OK);
        CHECK_EQ(size, SIZE);
        CHECK_EQ(send(out, 1000, (uint16_t)ssrc, packet, &size), RT_OK); /* in use all the time */
        CHECK_EQ(rt_srtp_unprotect(in, packet, &size), RT_OK);
    }
    rt_srtp_stats stats;
    rt_srtp_get_stats(in, &stats);
    CHECK_EQ(stats.streams, 4);
    CHECK_EQ(stats.evicted, 47);
    uint32_t counter;
    CHECK_EQ(rt_srtp_rollover(in, 1000, &counter), RT_OK);
    CHECK_EQ(rt_srtp_rollover(in, 1, &counter), RT_NOT_FOUND);
    rt_srtp_free(out);
    rt_srtp_free(in);
}

static void test_streams_outbound(void)
{
    rt_srtp *out = make(srtp_fake(), true, 2);
    uint8_t packet[SLOT];
    size_t size;
    CHECK_EQ(rt_srtp_add_stream(out, 1, 1024, true), RT_OK);
    CHECK_EQ(rt_srtp_add_stream(out, 1, 1024, true), RT_EXISTS);
    CHECK_EQ(rt_srtp_add_stream(out, 2, 10, true), RT_INVALID);
    CHECK_EQ(send(out, 1, 1, packet, &size), RT_OK);
    CHECK_EQ(send(out, 2, 1, packet, &size), RT_OK);
    CHECK_EQ(send(out, 3, 1, packet, &size), RT_AGAIN);
    CHECK_EQ(rt_srtp_add_stream(out, 3, 0, false), RT_AGAIN);
    CHECK_EQ(rt_srtp_remove_stream(out, 2), RT_OK);
    CHECK_EQ(rt_srtp_remove_stream(out, 2), RT_NOT_FOUND);
    CHECK_EQ(send(out, 2, 2, packet, &size), RT_CLOSED); /* its nonces must not come again */
    CHECK_EQ(send(out, 3, 1, packet, &size), RT_AGAIN);  /* nor is its place free */
    CHECK_EQ(send(out, 1, 2, packet, &size), RT_OK);
    rt_srtp_free(out);
}

static void test_rollover_counter(void)
{
    rt_srtp *out = make(srtp_fake(), true, 10), *in = make(srtp_fake(), false, 10);
    uint8_t packet[SLOT], late[SLOT];
    size_t size, late_size;
    uint32_t ours, theirs;
    for (uint32_t i = 65000; i < 65000 + 3 * 65536; i += 99) {
        CHECK_EQ(send(out, 7, (uint16_t)i, packet, &size), RT_OK);
        if (i % 2) {
            memcpy(late, packet, size);
            late_size = size;
            continue;
        }
        CHECK_EQ(rt_srtp_unprotect(in, packet, &size), RT_OK);
        if (i > 65000)
            CHECK_EQ(rt_srtp_unprotect(in, late, &late_size), RT_OK); /* one behind, often across the border */
        CHECK_EQ(rt_srtp_rollover(out, 7, &ours), RT_OK);
        CHECK_EQ(rt_srtp_rollover(in, 7, &theirs), RT_OK);
        CHECK_EQ(ours, theirs);
        CHECK_EQ(ours, i / 65536);
    }
    rt_srtp_free(out);
    rt_srtp_free(in);
}

static void test_no_packet(void)
{
    rt_srtp *out = make(srtp_fake(), true, 10), *in = make(srtp_fake(), false, 10);
    uint8_t packet[SLOT];
    for (size_t n = 0; n < 12; n++) {
        write_rtp(packet, 1, 1);
        size_t size = n;
        CHECK_EQ(rt_srtp_protect(out, packet, &size, SLOT), RT_MALFORMED);
        CHECK_EQ(rt_srtp_unprotect(in, packet, &size), RT_MALFORMED);
        CHECK_EQ(size, n);
    }
    write_rtp(packet, 1, 1);
    packet[0] = 0x40;
    size_t size = SIZE;
    CHECK_EQ(rt_srtp_protect(out, packet, &size, SLOT), RT_MALFORMED);
    write_rtp(packet, 1, 1);
    CHECK_EQ(rt_srtp_protect(out, packet, &size, SIZE + RT_SRTP_TRAILER - 1), RT_TOO_LARGE);
    rt_srtp_stats stats;
    rt_srtp_get_stats(in, &stats);
    CHECK_EQ(stats.malformed, 12);
    CHECK_EQ(stats.streams, 0);
    rt_srtp_free(out);
    rt_srtp_free(in);
}

static void test_batch(void)
{
    enum { COUNT = 20 };
    static uint8_t memory[COUNT][SLOT];
    rt_srtp *out = make(srtp_fake(), true, 10), *in = make(srtp_fake(), false, 10);
    rt_srtp_item items[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        write_rtp(memory[i], 1, (uint16_t)i);
        if (i % 5 == 0) /* RTCP among them (RFC 5761) */
            memory[i][1] = 201;
        items[i] = (rt_srtp_item){.data = memory[i], .size = SIZE, .capacity = SLOT};
    }
    items[3].capacity = SIZE;
    CHECK_EQ(rt_srtp_protect_batch(out, items, COUNT), COUNT - 1);
    CHECK_EQ(items[3].status, RT_TOO_LARGE);
    CHECK_EQ(items[5].size, items[4].size + 4); /* SRTCP has its index in the packet */
    memory[7][20] ^= 1;
    items[8].size = 5;
    CHECK_EQ(rt_srtp_unprotect_batch(in, items, COUNT), COUNT - 3);
    CHECK_EQ(items[3].status, RT_UNAUTHENTICATED);
    CHECK_EQ(items[7].status, RT_UNAUTHENTICATED);
    CHECK_EQ(items[8].status, RT_MALFORMED);
    CHECK_EQ(items[4].size, SIZE);
    rt_srtp_free(out);
    rt_srtp_free(in);
}

/* What a library may answer, and what becomes of it. */
static int answer;

static int answering(rt_libsrtp_session session, void *packet, int *size)
{
    (void)session;
    (void)packet;
    (void)size;
    return answer;
}

static void test_statuses(void)
{
    static const struct {
        int library;
        rt_status status;
    } answers[] = {
        {RT_LIBSRTP_OK, RT_OK},
        {RT_LIBSRTP_AUTH_FAIL, RT_UNAUTHENTICATED},
        {RT_LIBSRTP_REPLAY_FAIL, RT_REPLAYED},
        {RT_LIBSRTP_REPLAY_OLD, RT_REPLAYED},
        {RT_LIBSRTP_KEY_EXPIRED, RT_CLOSED},
        {RT_LIBSRTP_ALLOC_FAIL, RT_NO_MEMORY},
        {RT_LIBSRTP_BAD_PARAM, RT_MALFORMED},
        {RT_LIBSRTP_NO_CONTEXT, RT_MALFORMED},
        {RT_LIBSRTP_PARSE, RT_MALFORMED},
    };
    rt_srtp_library library = *srtp_fake();
    library.protect = library.unprotect = answering;
    rt_srtp *out = make(&library, true, 10), *in = make(&library, false, 10);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        uint8_t packet[SLOT];
        size_t size;
        answer = answers[i].library;
        CHECK_EQ(send(out, 1, (uint16_t)i, packet, &size), answers[i].status);
        rt_srtp_item item = {.data = packet, .size = SIZE, .capacity = SLOT};
        CHECK_EQ(rt_srtp_unprotect_batch(in, &item, 1), answer == RT_LIBSRTP_OK);
        CHECK_EQ(item.status, answers[i].status);
        CHECK_EQ(item.old, answer == RT_LIBSRTP_REPLAY_OLD);
    }
    rt_srtp_stats stats;
    rt_srtp_get_stats(in, &stats);
    CHECK_EQ(stats.packets, 1);
    CHECK_EQ(stats.unauthenticated, 1);
    CHECK_EQ(stats.replayed, 1);
    CHECK_EQ(stats.old, 1);
    CHECK_EQ(stats.malformed, 3);
    rt_srtp_free(out);
    rt_srtp_free(in);
}

static void test_key_material(void)
{
    uint8_t material[4 * RT_SRTP_KEYS_MAX], out[RT_SRTP_KEYS_MAX];
    for (size_t i = 0; i < sizeof material; i++)
        material[i] = (uint8_t)i;
    /* RFC 5764 section 4.2: client key, server key, client salt, server salt. */
    CHECK_EQ(rt_srtp_split(RT_SRTP_AES128_CM_SHA1_80, rt_span_of(material, 60), false, out), 30);
    CHECK_EQ(out[0], 16);
    CHECK_EQ(out[16], 46);
    CHECK_EQ(rt_srtp_split(RT_SRTP_AEAD_AES_256_GCM, rt_span_of(material, 88), true, out), 44);
    CHECK_EQ(out[0], 0);
    CHECK_EQ(out[32], 64);
    CHECK_EQ(rt_srtp_split(RT_SRTP_AEAD_AES_128_GCM, rt_span_of(material, 55), true, out), 0);
    CHECK_EQ(rt_srtp_split((rt_srtp_profile)9, rt_span_of(material, 56), true, out), 0);
}

int main(int argc, char **argv)
{
    RUN(test_configuration);
    RUN(test_streams_inbound);
    RUN(test_streams_outbound);
    RUN(test_rollover_counter);
    RUN(test_no_packet);
    RUN(test_batch);
    RUN(test_statuses);
    RUN(test_key_material);
    CHECK_MAIN_END;
}
