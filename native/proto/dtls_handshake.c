#include "proto/dtls_internal.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define CIPHERS                                                                                                        \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                                       \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define GROUPS "X25519:P-256"

/* With sizes that nothing reaches OpenSSL never makes fragments: that is our part. The second one, a record's, is
 * also that of a buffer that a DTLS connection never gives back; by default it takes 16 KiB. What is sent is a
 * certificate, or smaller than this. */
#define OPENSSL_MTU 65535
#define MESSAGE_MAX 2048

/* OpenSSL's own retransmission runs on the wall clock; its timer is put off for longer than any handshake
 * lives. Should it ever fire, on_message() drops what it repeats. */
static unsigned int no_timer(SSL *ssl, unsigned int microseconds)
{
    (void)ssl, (void)microseconds;
    return 3600u * 1000 * 1000;
}

/* Trust comes from the fingerprint alone (RFC 8827 section 6.5). Where it is known by now, a wrong
 * certificate ends the handshake here, with the right alert; a chain is never built. */
static int verify_certificate(X509_STORE_CTX *store, void *unused)
{
    (void)unused;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const rt_dtls *dtls = SSL_get_app_data(ssl);
    if (dtls->handshake->fingerprint_count == 0)
        return 1;
    uint8_t *der = NULL;
    int size = i2d_X509(X509_STORE_CTX_get0_cert(store), &der);
    bool matches = size > 0 && rt_dtls_fingerprint_matches(dtls, rt_span_of(der, (size_t)size));
    OPENSSL_free(der);
    if (!matches)
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return matches;
}

SSL_CTX *rt_dtls_context_new(OSSL_LIB_CTX *openssl)
{
    SSL_CTX *context = SSL_CTX_new_ex(openssl, NULL, DTLS_method());
    if (!context)
        return NULL;
    SSL_CTX_set_security_level(context, 1); /* whatever the machine's openssl.cnf says */
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(context, verify_certificate, NULL);
    if (SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(context, CIPHERS) == 1 && SSL_CTX_set1_groups_list(context, GROUPS) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static bool append_message(rt_dtls *dtls, uint8_t type, rt_span message)
{
    rt_dtls_handshake *handshake = dtls->handshake;
    if (!handshake->renewed) {
        rt_dtls_flight_clear(&dtls->flight);
        handshake->renewed = true;
    }
    return rt_dtls_flight_append(&dtls->flight, type, handshake->write_epoch, message);
}

/* Every message that OpenSSL makes or reads passes here in the clear, whole. */
static void on_message(int written, int version, int type, const void *data, size_t size, SSL *ssl, void *user)
{
    (void)version, (void)ssl;
    rt_dtls *dtls = user;
    rt_dtls_handshake *handshake = dtls->handshake;
    rt_span message = rt_span_of(data, size);
    if (!written) {
        if (type == SSL3_RT_ALERT && size == 2 && message.data[0] == ALERT_FATAL)
            handshake->received_alert = message.data[1];
    } else if (type == SSL3_RT_HANDSHAKE && size >= HANDSHAKE_HEADER) {
        uint16_t number = rt_load16(message.data + 4);
        if (number < handshake->next_message)
            return;
        handshake->next_message = (uint16_t)(number + 1);
        handshake->no_memory |= !append_message(dtls, CONTENT_HANDSHAKE, message);
    } else if (type == SSL3_RT_CHANGE_CIPHER_SPEC && handshake->write_epoch == 0) {
        handshake->no_memory |= !append_message(dtls, CONTENT_CHANGE_CIPHER_SPEC, message);
        handshake->write_epoch = 1;
    } else if (type == SSL3_RT_ALERT && size == 2) {
        memcpy(dtls->alert, message.data, 2);
        dtls->alert_epoch = handshake->write_epoch;
    }
}

/* "SRTP_AEAD_AES_128_GCM:SRTP_..." as OpenSSL names them. */
static bool set_srtp_profiles(SSL *ssl, const uint16_t profiles[4])
{
    char names[4 * 32] = "";
    for (int i = 0; i < 4 && profiles[i]; i++) {
        const char *name = NULL;
        switch (profiles[i]) {
        case RT_SRTP_AES128_CM_SHA1_80: name = "SRTP_AES128_CM_SHA1_80"; break;
        case RT_SRTP_AES128_CM_SHA1_32: name = "SRTP_AES128_CM_SHA1_32"; break;
        case RT_SRTP_AEAD_AES_128_GCM: name = "SRTP_AEAD_AES_128_GCM"; break;
        case RT_SRTP_AEAD_AES_256_GCM: name = "SRTP_AEAD_AES_256_GCM"; break;
        default: return false;
        }
        if (i)
            strcat(names, ":");
        strcat(names, name);
    }
    return !names[0] || SSL_set_tlsext_use_srtp(ssl, names) == 0; /* 0 is success here */
}

rt_status rt_dtls_handshake_new(rt_dtls *dtls, rt_time now)
{
    rt_dtls_handshake *handshake = dtls->handshake;
    handshake->ssl = rt_certificate_ssl(dtls->certificate);
    handshake->input = BIO_new(BIO_s_mem());
    BIO *output = BIO_new(BIO_s_null());
    if (!handshake->ssl || !handshake->input || !output) {
        BIO_free(handshake->input);
        BIO_free(output);
        handshake->input = NULL;
        return RT_NO_MEMORY;
    }
    SSL *ssl = handshake->ssl;
    BIO_set_mem_eof_return(handshake->input, -1); /* empty means: later */
    SSL_set_bio(ssl, handshake->input, output);
    SSL_set_app_data(ssl, dtls);
    SSL_set_msg_callback(ssl, on_message);
    SSL_set_msg_callback_arg(ssl, dtls);
    if (dtls->config.role == RT_DTLS_CLIENT)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    DTLS_set_timer_cb(ssl, no_timer);
    size_t longest = rt_certificate_der(dtls->certificate).size + MESSAGE_MAX;
    bool ok = SSL_set_mtu(ssl, OPENSSL_MTU) > 0 &&
              SSL_set_max_send_fragment(ssl, longest < RECORD_MAX ? (long)longest : RECORD_MAX) == 1 &&
              set_srtp_profiles(ssl, dtls->config.srtp_profiles);
    ERR_clear_error();
    handshake->received_alert = -1;
    handshake->retransmit_at = RT_NEVER;
    handshake->give_up_at = rt_time_after(now, dtls->config.give_up_after);
    return ok ? RT_OK : RT_INVALID;
}

void rt_dtls_handshake_end(rt_dtls *dtls)
{
    SSL_free(dtls->handshake->ssl); /* frees both BIOs */
    dtls->handshake->ssl = NULL;
    dtls->handshake->input = NULL;
    dtls->handshake->retransmit_at = RT_NEVER;
}

void rt_dtls_handshake_free(rt_dtls *dtls)
{
    if (!dtls->handshake)
        return;
    rt_dtls_handshake_end(dtls);
    free(dtls->handshake);
    dtls->handshake = NULL;
}

bool rt_dtls_fingerprint_matches(const rt_dtls *dtls, rt_span der)
{
    const rt_dtls_handshake *handshake = dtls->handshake;
    for (size_t i = 0; i < handshake->fingerprint_count; i++) {
        uint8_t digest[RT_HASH_MAX];
        rt_hash hash = handshake->fingerprints[i].hash;
        if (rt_hash_digest(hash, der, digest) == RT_OK &&
            rt_equal_secret(digest, handshake->fingerprints[i].digest, rt_hash_size(hash)))
            return true;
    }
    return false;
}

static const char *group_name(SSL *ssl)
{
    switch (SSL_get_negotiated_group(ssl)) {
    case NID_X25519: return "X25519";
    case NID_X9_62_prime256v1: return "P-256";
    default: return "";
    }
}

/* Both keys, from the time on when the first encrypted message is to be sent. */
static rt_status take_secrets(rt_dtls *dtls)
{
    SSL *ssl = dtls->handshake->ssl;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    const SSL_SESSION *session = SSL_get_session(ssl);
    if (!cipher || !session || SSL_SESSION_get_master_key(session, dtls->master, MASTER_SECRET) != MASTER_SECRET ||
        SSL_get_client_random(ssl, dtls->client_random, HELLO_RANDOM) != HELLO_RANDOM ||
        SSL_get_server_random(ssl, dtls->server_random, HELLO_RANDOM) != HELLO_RANDOM)
        return RT_SYSTEM;
    bool long_key = SSL_CIPHER_get_bits(cipher, NULL) == 256;
    dtls->hash = long_key ? "SHA384" : "SHA256"; /* of the suites that are offered */
    dtls->cipher = SSL_CIPHER_standard_name(cipher);
    return rt_dtls_derive_keys(dtls, long_key ? 32 : 16);
}

static rt_status take_session(rt_dtls *dtls)
{
    SSL *ssl = dtls->handshake->ssl;
    X509 *x509 = SSL_get0_peer_certificate(ssl);
    int size = x509 ? i2d_X509(x509, NULL) : 0;
    if (size <= 0 || !dtls->sealer)
        return RT_SYSTEM;
    uint8_t *at = dtls->remote_der = malloc((size_t)size);
    if (!at)
        return RT_NO_MEMORY;
    dtls->remote_der_size = (size_t)i2d_X509(x509, &at);
    const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(ssl);
    dtls->srtp_profile = profile ? (uint16_t)profile->id : 0;
    dtls->group = group_name(ssl);
    return RT_OK;
}

/* OpenSSL has given up: an alert of ours, if it made one, waits to be sent. */
static void fail(rt_dtls *dtls, unsigned long error)
{
    const rt_dtls_handshake *handshake = dtls->handshake;
    if (handshake->received_alert >= 0)
        rt_dtls_fail(dtls, -1, "the peer sent alert \"%s\"", SSL_alert_desc_string_long(handshake->received_alert));
    else if (handshake->fingerprint_count && SSL_get_verify_result(handshake->ssl) == X509_V_ERR_CERT_REJECTED)
        rt_dtls_fail_fingerprint(dtls, -1);
    else
        rt_dtls_fail(dtls, -1, "handshake: %s", error ? ERR_reason_error_string(error) : "closed by the peer");
}

rt_status rt_dtls_handshake_feed(rt_dtls *dtls, rt_span record)
{
    rt_dtls_handshake *handshake = dtls->handshake;
    SSL *ssl = handshake->ssl;
    ERR_clear_error();
    handshake->renewed = false;
    if (record.size && BIO_write(handshake->input, record.data, (int)record.size) != (int)record.size)
        return RT_NO_MEMORY;
    int result = SSL_do_handshake(ssl);
    int reason = SSL_get_error(ssl, result);
    unsigned long error = ERR_peek_error();

    if (handshake->write_epoch == 1 && !dtls->sealer && take_secrets(dtls) != RT_OK) {
        dtls->alert[0] = 0; /* there is no key to send one under */
        rt_dtls_fail(dtls, -1, "the keys could not be derived");
    } else if (handshake->no_memory) {
        rt_dtls_fail(dtls, -1, "out of memory");
    } else if (result != 1 && reason != SSL_ERROR_WANT_READ) {
        fail(dtls, error);
    } else if (result == 1) {
        if (take_session(dtls) == RT_OK)
            rt_dtls_handshake_end(dtls);
        else
            rt_dtls_fail(dtls, -1, "the session could not be taken over");
    }
    ERR_clear_error();
    if (dtls->state == RT_DTLS_FAILED)
        return RT_UNAUTHENTICATED;
    if (handshake->renewed) {
        handshake->timeout = dtls->config.first_timeout;
        handshake->retransmit_at = RT_NEVER; /* set when all of it is sent */
    }
    return RT_OK;
}
