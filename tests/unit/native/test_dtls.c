/* proto/dtls: the handshake, fingerprints, what is sent again, the end of a connection. */
#include "dtls_pair.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>

static rt_span text_of(const char *text)
{
    return rt_span_text(text);
}

/* Seals at one end, receives at the other: whether exactly this comes out. */
static bool crosses(dtls_pair *pair, int from, rt_span text)
{
    uint8_t record[2048];
    size_t size = pair_seal(pair, from, text, record);
    rt_span out;
    return rt_dtls_receive(pair->ends[!from], rt_buffer_of(record, size), pair->now) == RT_OK &&
           rt_dtls_read(pair->ends[!from], &out) && rt_span_equal(out, text) && !rt_dtls_read(pair->ends[!from], &out);
}

static void handshake(void)
{
    rt_dtls_config config;
    rt_dtls_config_default(&config);
    config.srtp_profiles[0] = RT_SRTP_AEAD_AES_128_GCM;
    config.srtp_profiles[1] = RT_SRTP_AES128_CM_SHA1_80;
    dtls_pair *pair = pair_connected(&config, &config);
    uint8_t keys[2][60];
    for (int i = 0; i < 2; i++) {
        rt_dtls *end = pair->ends[i];
        CHECK(strcmp(rt_dtls_cipher(end), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256") == 0);
        CHECK(strcmp(rt_dtls_group(end), "X25519") == 0);
        CHECK_EQ(rt_dtls_srtp_profile(end), RT_SRTP_AEAD_AES_128_GCM);
        CHECK(rt_span_equal(rt_dtls_remote_der(end), rt_certificate_der(pair->certificates[!i])));
        CHECK_EQ(rt_dtls_deadline(end), RT_NEVER);
        rt_dtls_event event;
        CHECK(rt_dtls_event_next(end, &event));
        CHECK_EQ(event.state, RT_DTLS_CONNECTING);
        CHECK(rt_dtls_event_next(end, &event));
        CHECK_EQ(event.state, RT_DTLS_CONNECTED);
        CHECK(!rt_dtls_event_next(end, &event));
        CHECK_EQ(rt_dtls_export(end, text_of("EXTRACTOR-dtls_srtp"), rt_buffer_of(keys[i], 60)), RT_OK);
        CHECK_EQ(rt_dtls_start(end, pair->now), RT_UNEXPECTED);
    }
    CHECK_BYTES(keys[0], keys[1], 60);
    CHECK(crosses(pair, CLIENT, text_of("hello")));
    CHECK(crosses(pair, SERVER, text_of("")));
    pair_free(pair);
}

static void no_common_srtp_profile(void)
{
    rt_dtls_config client, server;
    rt_dtls_config_default(&client);
    rt_dtls_config_default(&server);
    client.srtp_profiles[0] = RT_SRTP_AES128_CM_SHA1_80;
    server.srtp_profiles[0] = RT_SRTP_AEAD_AES_256_GCM;
    dtls_pair *pair = pair_connected(&client, &server);
    CHECK_EQ(rt_dtls_srtp_profile(pair->ends[CLIENT]), 0);
    CHECK_EQ(rt_dtls_srtp_profile(pair->ends[SERVER]), 0);
    pair_free(pair);
}

static void certificates(void)
{
    rt_certificate *certificate = rt_certificate_generate(1700000000, 86400);
    CHECK_EQ(rt_certificate_expires(certificate), 1700086400);
    uint8_t certificate_pem[4096], key_pem[4096], digest[RT_HASH_MAX], again_digest[RT_HASH_MAX];
    size_t size = rt_certificate_write_pem(certificate, false, rt_buffer_of(certificate_pem, sizeof certificate_pem));
    size_t key_size = rt_certificate_write_pem(certificate, true, rt_buffer_of(key_pem, sizeof key_pem));
    CHECK(size > 0 && size <= sizeof certificate_pem && key_size > 0 && key_size <= sizeof key_pem);
    CHECK_EQ(rt_certificate_write_pem(certificate, false, rt_buffer_of(NULL, 0)), size);

    rt_certificate *again = NULL, *none = NULL;
    CHECK_EQ(rt_certificate_load(rt_span_of(certificate_pem, size), rt_span_of(key_pem, key_size), &again), RT_OK);
    CHECK(rt_span_equal(rt_certificate_der(certificate), rt_certificate_der(again)));
    CHECK_EQ(rt_certificate_fingerprint(certificate, RT_SHA384, digest), RT_OK);
    CHECK_EQ(rt_certificate_fingerprint(again, RT_SHA384, again_digest), RT_OK);
    CHECK_BYTES(digest, again_digest, 48);

    rt_certificate *other = rt_certificate_generate(1700000000, 86400);
    CHECK(!rt_span_equal(rt_certificate_der(certificate), rt_certificate_der(other)));
    key_size = rt_certificate_write_pem(other, true, rt_buffer_of(key_pem, sizeof key_pem));
    CHECK_EQ(rt_certificate_load(rt_span_of(certificate_pem, size), rt_span_of(key_pem, key_size), &none), RT_INVALID);
    CHECK_EQ(rt_certificate_load(rt_span_of(certificate_pem, size), text_of("nothing"), &none), RT_MALFORMED);
    CHECK_EQ(rt_certificate_load(rt_span_of(NULL, 0), rt_span_of(key_pem, key_size), &none), RT_MALFORMED);
    CHECK(!none);
    rt_certificate_free(certificate);
    rt_certificate_free(again);
    rt_certificate_free(other);
    rt_certificate_free(NULL);
}

/* Made by OpenSSL, with a comment that makes it as long as one likes. */
static rt_certificate *make_certificate(EVP_PKEY *key, size_t comment, rt_status expected)
{
    X509 *x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC, (const uint8_t *)"x", -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    X509_set_pubkey(x509, key);
    if (comment) {
        char *text = calloc(1, comment + 1);
        memset(text, 'x', comment);
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment, text);
        CHECK_EQ(X509_add_ext(x509, extension, -1), 1);
        X509_EXTENSION_free(extension);
        free(text);
    }
    CHECK(X509_sign(x509, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0);
    BIO *certificate_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(certificate_bio, x509);
    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
    char *certificate_pem, *key_pem;
    size_t certificate_size = (size_t)BIO_get_mem_data(certificate_bio, &certificate_pem);
    size_t key_size = (size_t)BIO_get_mem_data(key_bio, &key_pem);
    rt_certificate *certificate = NULL;
    CHECK_EQ(
        rt_certificate_load(rt_span_of(certificate_pem, certificate_size), rt_span_of(key_pem, key_size), &certificate),
        expected);
    BIO_free(certificate_bio);
    BIO_free(key_bio);
    X509_free(x509);
    EVP_PKEY_free(key);
    return certificate;
}

static void rsa_certificate(void)
{
    rt_dtls_config server;
    rt_dtls_config_default(&server);
    server.certificate = make_certificate(EVP_RSA_gen(2048), 0, RT_OK);
    dtls_pair *pair = pair_connected(NULL, &server);
    CHECK(strcmp(rt_dtls_cipher(pair->ends[CLIENT]), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256") == 0);
    CHECK(crosses(pair, SERVER, text_of("hello")));
    pair_free(pair);
    rt_certificate_free(server.certificate);
}

static void unsupported_keys(void)
{
    CHECK(!make_certificate(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), 0, RT_UNSUPPORTED));
    CHECK(!make_certificate(EVP_RSA_gen(512), 0, RT_UNSUPPORTED));
    CHECK(!make_certificate(EVP_EC_gen("P-256"), 16000, RT_UNSUPPORTED)); /* too long */
}

/* Flights are cut to the MTU, and long certificates are put together again, in both directions. */
static void small_mtu_long_certificates(void)
{
    rt_dtls_config config;
    rt_dtls_config_default(&config);
    config.certificate = make_certificate(EVP_EC_gen("P-256"), 12000, RT_OK);
    for (uint16_t mtu = 256; mtu <= 1500; mtu += 61) {
        config.mtu = mtu;
        dtls_pair *pair = pair_new(&config, &config);
        pair_trust(pair, CLIENT, RT_SHA256);
        pair_trust(pair, SERVER, RT_SHA512);
        pair_start(pair);
        size_t moved = 0;
        for (int from = CLIENT, silent = 0; silent < 2; from = !from) {
            outbox_reset(&pair->out);
            pair->out.batch.max = 3; /* a flight also gets through in small batches */
            size_t count = rt_dtls_transmit(pair->ends[from], &pair->out.batch, pair->now);
            silent = count ? 0 : silent + 1;
            for (size_t i = 0; i < count; i++) {
                rt_packet *packet = &pair->out.packets[i];
                CHECK(packet->size <= mtu);
                CHECK_EQ(rt_dtls_receive(pair->ends[!from], rt_buffer_of(packet->data, packet->size), pair->now),
                         RT_OK);
                moved++;
            }
            if (count == 3)
                from = !from; /* the same again: the rest of its flight */
        }
        CHECK(moved >= 2 * 12000u / mtu);
        CHECK_EQ(rt_dtls_get_state(pair->ends[CLIENT]), RT_DTLS_CONNECTED);
        CHECK_EQ(rt_dtls_get_state(pair->ends[SERVER]), RT_DTLS_CONNECTED);
        pair_free(pair);
    }
    rt_certificate_free(config.certificate);
}

static void expect_failed(dtls_pair *pair, int end, const char *text)
{
    CHECK_EQ(rt_dtls_get_state(pair->ends[end]), RT_DTLS_FAILED);
    rt_dtls_event event = pair_event(pair, end);
    CHECK_EQ(event.state, RT_DTLS_FAILED);
    if (!strstr(event.text, text))
        fprintf(stderr, "\"%s\" is not in \"%s\"\n", text, event.text);
    CHECK(strstr(event.text, text));
    CHECK_EQ(rt_dtls_deadline(pair->ends[end]), RT_NEVER);
}

static void wrong_fingerprint(void)
{
    for (int wrong = 0; wrong < 2; wrong++) {
        dtls_pair *pair = pair_new(NULL, NULL);
        uint8_t digest[32] = {1, 2, 3};
        pair_trust(pair, !wrong, RT_SHA256);
        CHECK_EQ(rt_dtls_add_fingerprint(pair->ends[wrong], RT_SHA256, rt_span_of(digest, 32), pair->now), RT_OK);
        pair_start(pair);
        pair_run(pair);
        expect_failed(pair, wrong, "fingerprint does not match");
        expect_failed(pair, !wrong, "bad certificate");
        uint8_t out[16];
        rt_packet packet = {.data = out, .size = 0};
        CHECK_EQ(rt_dtls_seal(pair->ends[wrong], &packet), RT_UNEXPECTED);
        CHECK_EQ(rt_dtls_export(pair->ends[wrong], text_of("x"), rt_buffer_of(out, 16)), RT_UNEXPECTED);
        pair_free(pair);
    }
}

static void fingerprint_arguments(void)
{
    dtls_pair *pair = pair_new(NULL, NULL);
    uint8_t digest[64] = {0};
    rt_dtls *end = pair->ends[CLIENT];
    CHECK_EQ(rt_dtls_add_fingerprint(end, RT_SHA1, rt_span_of(digest, 20), 0), RT_UNSUPPORTED);
    CHECK_EQ(rt_dtls_add_fingerprint(end, RT_MD5, rt_span_of(digest, 16), 0), RT_UNSUPPORTED);
    CHECK_EQ(rt_dtls_add_fingerprint(end, RT_SHA256, rt_span_of(digest, 31), 0), RT_INVALID);
    for (int i = 0; i < 7; i++)
        CHECK_EQ(rt_dtls_add_fingerprint(end, RT_SHA512, rt_span_of(digest, 64), 0), RT_OK);
    pair_trust(pair, CLIENT, RT_SHA256); /* one of many is enough */
    CHECK_EQ(rt_dtls_add_fingerprint(end, RT_SHA256, rt_span_of(digest, 32), 0), RT_TOO_LARGE);
    pair_trust(pair, SERVER, RT_SHA384);
    pair_start(pair);
    pair_run(pair);
    CHECK_EQ(rt_dtls_get_state(end), RT_DTLS_CONNECTED);
    pair_trust(pair, CLIENT, RT_SHA256); /* again, by a later description: fine if it is the same */
    CHECK_EQ(rt_dtls_add_fingerprint(end, RT_SHA256, rt_span_of(digest, 32), 0), RT_UNAUTHENTICATED);
    CHECK_EQ(rt_dtls_get_state(end), RT_DTLS_CONNECTED);
    pair_free(pair);
}

/* The handshake overtakes the signalling: nothing opens or is read before the fingerprint came. */
static void late_fingerprint(void)
{
    for (int late = 0; late < 2; late++) {
        dtls_pair *pair = pair_new(NULL, NULL);
        pair_trust(pair, !late, RT_SHA256);
        pair_start(pair);
        pair_run(pair);
        CHECK_EQ(rt_dtls_get_state(pair->ends[!late]), RT_DTLS_CONNECTED);
        CHECK_EQ(rt_dtls_get_state(pair->ends[late]), RT_DTLS_CONNECTING);
        uint8_t record[2048], out[16];
        rt_span text;
        for (int i = 0; i < 3; i++) {
            size_t size = pair_seal(pair, !late, rt_span_of("early", 5), record);
            CHECK_EQ(rt_dtls_receive(pair->ends[late], rt_buffer_of(record, size), pair->now), RT_OK);
            memset(record, 0, sizeof record);
            CHECK(!rt_dtls_read(pair->ends[late], &text));
        }
        CHECK_EQ(rt_dtls_export(pair->ends[late], text_of("x"), rt_buffer_of(out, 16)), RT_UNEXPECTED);
        pair_trust(pair, late, RT_SHA384);
        CHECK_EQ(rt_dtls_get_state(pair->ends[late]), RT_DTLS_CONNECTED);
        for (int i = 0; i < 3; i++) {
            CHECK(rt_dtls_read(pair->ends[late], &text));
            CHECK(rt_span_equal(text, rt_span_of("early", 5)));
        }
        CHECK(!rt_dtls_read(pair->ends[late], &text));
        CHECK(crosses(pair, CLIENT, text_of("now")) && crosses(pair, SERVER, text_of("then")));
        pair_free(pair);
    }
}

static void late_fingerprints_mismatch(void)
{
    for (int good = 0; good < 2; good++) {
        dtls_pair *pair = pair_new(NULL, NULL);
        uint8_t digest[32] = {9};
        pair_trust(pair, SERVER, RT_SHA256);
        pair_start(pair);
        pair_run(pair);
        CHECK_EQ(rt_dtls_add_fingerprint(pair->ends[CLIENT], RT_SHA256, rt_span_of(digest, 32), pair->now), RT_OK);
        CHECK_EQ(rt_dtls_deadline(pair->ends[CLIENT]), pair->now);
        if (good)
            pair_trust(pair, CLIENT, RT_SHA512);
        pair_run(pair);
        if (good) {
            CHECK_EQ(rt_dtls_get_state(pair->ends[CLIENT]), RT_DTLS_CONNECTED);
        } else {
            expect_failed(pair, CLIENT, "sha-256 fingerprint does not match");
            expect_failed(pair, SERVER, "bad certificate");
        }
        pair_free(pair);
    }
}

/* What comes before the fingerprint is bounded; an unbounded sender loses records, no more. */
static void held_records_are_bounded(void)
{
    dtls_pair *pair = pair_new(NULL, NULL);
    pair_trust(pair, CLIENT, RT_SHA256);
    pair_start(pair);
    pair_run(pair);
    uint8_t record[2048], text[1000] = {0};
    rt_span out;
    for (int i = 0; i < 100; i++) {
        size_t size = pair_seal(pair, CLIENT, rt_span_of(text, sizeof text), record);
        rt_status status = rt_dtls_receive(pair->ends[SERVER], rt_buffer_of(record, size), pair->now);
        CHECK_EQ(status, i < 7 ? RT_OK : RT_AGAIN);
    }
    pair_trust(pair, SERVER, RT_SHA256);
    int read = 0;
    while (rt_dtls_read(pair->ends[SERVER], &out))
        read++;
    CHECK_EQ(read, 7);
    rt_dtls_stats stats;
    rt_dtls_get_stats(pair->ends[SERVER], &stats);
    CHECK_EQ(stats.unexpected, 93);
    CHECK(crosses(pair, CLIENT, text_of("on")));
    pair_free(pair);
}

/* A server learns of the wrong fingerprint between the peer's certificate and its Finished: its last flight
 * and the alert leave together, and the client understands both. */
static void mismatch_before_the_last_flight(void)
{
    dtls_pair *pair = pair_new(NULL, NULL);
    uint8_t digest[32] = {9};
    pair_trust(pair, CLIENT, RT_SHA256);
    pair_start(pair);
    for (int step = 0; step < 3; step++) {
        outbox_reset(&pair->out);
        size_t count = rt_dtls_transmit(pair->ends[step % 2], &pair->out.batch, pair->now);
        for (size_t i = 0; i < count; i++)
            (void)rt_dtls_receive(pair->ends[!(step % 2)],
                                  rt_buffer_of(pair->out.packets[i].data, pair->out.packets[i].size), pair->now);
    }
    CHECK_EQ(rt_dtls_add_fingerprint(pair->ends[SERVER], RT_SHA256, rt_span_of(digest, 32), pair->now), RT_OK);
    pair_run(pair);
    expect_failed(pair, SERVER, "fingerprint does not match");
    expect_failed(pair, CLIENT, "bad certificate");
    pair_free(pair);
}

static void fingerprint_never_comes(void)
{
    dtls_pair *pair = pair_new(NULL, NULL);
    pair_trust(pair, SERVER, RT_SHA256);
    pair_start(pair);
    pair_run(pair);
    CHECK_EQ(rt_dtls_deadline(pair->ends[CLIENT]), pair->now + RT_SECONDS(30));
    rt_dtls_expire(pair->ends[CLIENT], pair->now + RT_SECONDS(30));
    expect_failed(pair, CLIENT, "the peer's fingerprint was not given within 30 s");
    pair_free(pair);
}

/* A silent peer: the flight again after 0.4, 0.8, 1.6 ... 8 s, smaller after some losses, then the end. */
static void no_answer(void)
{
    dtls_pair *pair = pair_new(NULL, NULL);
    rt_dtls *client = pair->ends[CLIENT];
    CHECK_EQ(rt_dtls_start(client, pair->now), RT_OK);
    rt_time expected = RT_MS(400), begin = pair->now;
    uint64_t sequence = 0;
    for (int i = 0; i < 7; i++) {
        outbox_reset(&pair->out);
        CHECK_EQ(rt_dtls_transmit(client, &pair->out.batch, pair->now), 1);
        CHECK_EQ(rt_load64(pair->out.packets[0].data + 3), sequence++); /* never the same record number again */
        CHECK_EQ(rt_dtls_deadline(client), pair->now + expected);
        rt_dtls_expire(client, pair->now + expected - 1); /* too early: nothing */
        CHECK_EQ(rt_dtls_transmit(client, &pair->out.batch, pair->now), 0);
        pair->now += expected;
        rt_dtls_expire(client, pair->now);
        expected = expected * 2 > RT_SECONDS(8) ? RT_SECONDS(8) : expected * 2;
    }
    outbox_reset(&pair->out);
    CHECK_EQ(rt_dtls_transmit(client, &pair->out.batch, pair->now), 1);
    CHECK_EQ(rt_dtls_deadline(client), begin + RT_SECONDS(30));
    rt_dtls_expire(client, begin + RT_SECONDS(30));
    expect_failed(pair, CLIENT, "the handshake was not complete within 30 s");
    rt_dtls_stats stats;
    rt_dtls_get_stats(client, &stats);
    CHECK_EQ(stats.flights_retransmitted, 7);
    pair_free(pair);
}

/* The server has finished and sends data, but its last flight is lost, twice. The client repeats its own
 * flight, and that is answered, under record numbers that are new. */
static void last_flight_is_lost(void)
{
    dtls_pair *pair = pair_new(NULL, NULL);
    pair_trust(pair, CLIENT, RT_SHA256);
    pair_trust(pair, SERVER, RT_SHA256);
    pair_start(pair);
    for (int step = 0; step < 3; step++) {
        int from = step % 2;
        outbox_reset(&pair->out);
        CHECK(rt_dtls_transmit(pair->ends[from], &pair->out.batch, pair->now));
        for (uint32_t i = 0; i < pair->out.batch.count; i++)
            CHECK_EQ(rt_dtls_receive(pair->ends[!from],
                                     rt_buffer_of(pair->out.packets[i].data, pair->out.packets[i].size), pair->now),
                     RT_OK);
    }
    CHECK_EQ(rt_dtls_get_state(pair->ends[SERVER]), RT_DTLS_CONNECTED);
    CHECK_EQ(rt_dtls_get_state(pair->ends[CLIENT]), RT_DTLS_CONNECTING);
    uint8_t record[2048];
    size_t size = pair_seal(pair, SERVER, rt_span_of("early", 5), record);
    for (int lost = 0; lost < 3; lost++) {
        outbox_reset(&pair->out);
        CHECK_EQ(rt_dtls_transmit(pair->ends[SERVER], &pair->out.batch, pair->now), 1);
        CHECK_EQ(rt_dtls_transmit(pair->ends[SERVER], &pair->out.batch, pair->now), 0);
        if (lost == 2)
            break;
        pair->now = rt_dtls_deadline(pair->ends[CLIENT]);
        rt_dtls_expire(pair->ends[CLIENT], pair->now);
        outbox_reset(&pair->out);
        CHECK_EQ(rt_dtls_transmit(pair->ends[CLIENT], &pair->out.batch, pair->now), 1);
        (void)rt_dtls_receive(pair->ends[SERVER], rt_buffer_of(pair->out.packets[0].data, pair->out.packets[0].size),
                              pair->now);
    }
    rt_span text;
    CHECK_EQ(rt_dtls_receive(pair->ends[CLIENT], rt_buffer_of(record, size), pair->now), RT_OK);
    CHECK(!rt_dtls_read(pair->ends[CLIENT], &text));
    CHECK_EQ(rt_dtls_receive(pair->ends[CLIENT], rt_buffer_of(pair->out.packets[0].data, pair->out.packets[0].size),
                             pair->now),
             RT_OK);
    CHECK_EQ(rt_dtls_get_state(pair->ends[CLIENT]), RT_DTLS_CONNECTED);
    CHECK(rt_dtls_read(pair->ends[CLIENT], &text) && rt_span_equal(text, rt_span_of("early", 5)));
    CHECK(crosses(pair, CLIENT, text_of("a")) && crosses(pair, SERVER, text_of("b")));
    CHECK_EQ(pair_run(pair), 0);
    pair_free(pair);
}

static void close_both_ways(void)
{
    for (int first = 0; first < 2; first++) {
        dtls_pair *pair = pair_connected(NULL, NULL);
        uint8_t record[256];
        size_t size = pair_seal(pair, first, rt_span_of("last", 4), record);
        rt_dtls_close(pair->ends[first], pair->now);
        rt_dtls_close(pair->ends[first], pair->now);
        CHECK_EQ(rt_dtls_get_state(pair->ends[first]), RT_DTLS_CLOSED);
        outbox_reset(&pair->out);
        CHECK_EQ(rt_dtls_transmit(pair->ends[first], &pair->out.batch, pair->now), 3);
        /* Data and close_notify in one datagram: both count. The last copy, for the others may be lost. */
        memcpy(record + size, pair->out.packets[2].data, pair->out.packets[2].size);
        size += pair->out.packets[2].size;
        CHECK_EQ(rt_dtls_receive(pair->ends[!first], rt_buffer_of(record, size), pair->now), RT_OK);
        rt_span text;
        CHECK(rt_dtls_read(pair->ends[!first], &text) && rt_span_equal(text, rt_span_of("last", 4)));
        CHECK_EQ(rt_dtls_get_state(pair->ends[!first]), RT_DTLS_CLOSED);
        rt_dtls_event event = pair_event(pair, !first);
        CHECK_EQ(event.state, RT_DTLS_CLOSED);
        CHECK(strcmp(event.text, "closed by the peer") == 0);
        CHECK_EQ(pair_event(pair, first).state, RT_DTLS_CLOSED);
        CHECK_EQ(pair_run(pair), 1); /* its own close_notify */
        rt_packet packet = {.data = record + RT_DTLS_HEADROOM, .size = 1};
        CHECK_EQ(rt_dtls_seal(pair->ends[!first], &packet), RT_UNEXPECTED);
        CHECK_EQ(rt_dtls_add_fingerprint(pair->ends[first], RT_SHA256, rt_span_of(record, 32), 0), RT_CLOSED);
        pair_free(pair);
    }
}

static void close_during_handshake(void)
{
    dtls_pair *pair = pair_new(NULL, NULL);
    rt_dtls_close(pair->ends[SERVER], pair->now); /* new: nobody is told */
    CHECK_EQ(pair_run(pair), 0);
    pair_free(pair);

    pair = pair_new(NULL, NULL);
    pair_start(pair);
    outbox_reset(&pair->out);
    CHECK_EQ(rt_dtls_transmit(pair->ends[CLIENT], &pair->out.batch, pair->now), 1);
    rt_dtls_receive(pair->ends[SERVER], rt_buffer_of(pair->out.packets[0].data, pair->out.packets[0].size), pair->now);
    rt_dtls_close(pair->ends[SERVER], pair->now);
    pair_run(pair);
    CHECK_EQ(rt_dtls_get_state(pair->ends[CLIENT]), RT_DTLS_FAILED);
    CHECK_EQ(rt_dtls_get_state(pair->ends[SERVER]), RT_DTLS_CLOSED);
    pair_free(pair);
}

/* One certificate for many connections, made beside one that is gone when they connect. */
static void certificate_is_shared(void)
{
    rt_dtls_config config;
    rt_dtls_config_default(&config);
    rt_certificate *first = rt_certificate_generate(1700000000, 86400);
    config.certificate = rt_certificate_generate_beside(first, 1700000000, 86400);
    CHECK(config.certificate);
    CHECK(!rt_span_equal(rt_certificate_der(config.certificate), rt_certificate_der(first)));
    rt_certificate_free(first);
    dtls_pair *pairs[20];
    for (int i = 0; i < 20; i++)
        pairs[i] = pair_connected(&config, &config);
    rt_certificate_free(config.certificate);
    for (int i = 0; i < 20; i++) {
        CHECK(crosses(pairs[i], CLIENT, text_of("x")));
        pair_free(pairs[i]);
    }
}

static void *connect_many(void *config)
{
    for (int i = 0; i < 30; i++) {
        dtls_pair *pair = pair_connected(config, config);
        CHECK(crosses(pair, i & 1, text_of("x")));
        rt_certificate *beside = rt_certificate_generate_beside(pair->certificates[CLIENT], 1700000000, 86400);
        CHECK(beside);
        rt_certificate_free(beside);
        pair_free(pair);
    }
    return NULL;
}

static void certificate_in_many_threads(void)
{
    rt_dtls_config config;
    rt_dtls_config_default(&config);
    config.certificate = rt_certificate_generate(1700000000, 86400);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, connect_many, &config), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    rt_certificate_free(config.certificate);
}

int main(int argc, char **argv)
{
    RUN(handshake);
    RUN(no_common_srtp_profile);
    RUN(certificates);
    RUN(rsa_certificate);
    RUN(unsupported_keys);
    RUN(small_mtu_long_certificates);
    RUN(wrong_fingerprint);
    RUN(fingerprint_arguments);
    RUN(late_fingerprint);
    RUN(late_fingerprints_mismatch);
    RUN(held_records_are_bounded);
    RUN(mismatch_before_the_last_flight);
    RUN(fingerprint_never_comes);
    RUN(no_answer);
    RUN(last_flight_is_lost);
    RUN(close_both_ways);
    RUN(close_during_handshake);
    RUN(certificate_is_shared);
    RUN(certificate_in_many_threads);
    CHECK_MAIN_END;
}
