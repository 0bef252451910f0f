/* proto/dtls: handshake, fingerprints, records, alerts. */
#include "dtls_pair.h"

static void handshake(void)
{
    rt_dtls_config config;
    rt_dtls_config_default(&config);
    config.srtp_profiles[0] = RT_SRTP_AEAD_AES_128_GCM;
    config.srtp_profiles[1] = RT_SRTP_AES128_CM_SHA1_80;
    dtls_pair *pair = pair_connected(&config, &config);
    for (int i = 0; i < 2; i++) {
        CHECK(strcmp(rt_dtls_cipher(pair->ends[i]), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256") == 0);
        CHECK(strcmp(rt_dtls_group(pair->ends[i]), "X25519") == 0);
        CHECK_EQ(rt_dtls_srtp_profile(pair->ends[i]), RT_SRTP_AEAD_AES_128_GCM);
        CHECK(rt_span_equal(rt_dtls_remote_der(pair->ends[i]), rt_certificate_der(pair->certificates[!i])));
        CHECK_EQ(rt_dtls_deadline(pair->ends[i]), RT_NEVER);
        rt_dtls_event event;
        CHECK(rt_dtls_event_next(pair->ends[i], &event));
        CHECK_EQ(event.state, RT_DTLS_CONNECTING);
        CHECK(rt_dtls_event_next(pair->ends[i], &event));
        CHECK_EQ(event.state, RT_DTLS_CONNECTED);
        CHECK(!rt_dtls_event_next(pair->ends[i], &event));
    }
    uint8_t keys[2][60];
    for (int i = 0; i < 2; i++)
        CHECK_EQ(rt_dtls_export(pair->ends[i], rt_span_text("EXTRACTOR-dtls_srtp"), rt_buffer_of(keys[i], 60)), RT_OK);
    CHECK_BYTES(keys[0], keys[1], 60);
    pair_free(pair);
}

static void records_both_ways(void)
{
    dtls_pair *pair = pair_connected(NULL, NULL);
    for (uint32_t i = 0; i < 65536 + 10; i++) {
        int from = i % 2;
        uint8_t record[2000], text[1200];
        size_t size = i % 1200;
        memset(text, (int)i, sizeof text);
        size_t sealed = pair_seal(pair, from, rt_span_of(text, size), record);
        CHECK_EQ(sealed, size + RT_DTLS_OVERHEAD);
        rt_span out;
        CHECK_EQ(rt_dtls_receive(pair->ends[!from], rt_buffer_of(record, sealed), pair->now), RT_OK);
        CHECK(rt_dtls_read(pair->ends[!from], &out));
        CHECK(rt_span_equal(out, rt_span_of(text, size)));
        CHECK(!rt_dtls_read(pair->ends[!from], &out));
    }
    pair_free(pair);
}

int main(int argc, char **argv)
{
    RUN(handshake);
    RUN(records_both_ways);
    CHECK_MAIN_END;
}
