/* RTP under AES-GCM (proto/srtp_gcm.h) with the OpenSSL that is linked here, so that the sanitizers see it. Compared
 * with libsrtp's packets in all other cases in test_srtp.py. */
#include "check.h"
#include <openssl/evp.h>
#include <stdlib.h>

#include "proto/srtp_gcm.h"

static const rt_srtp_cipher cipher = {
    .fetch = (void *(*)(void *, const char *, const char *))EVP_CIPHER_fetch,
    .free = (void (*)(void *))EVP_CIPHER_free,
    .context_new = (void *(*)(void))EVP_CIPHER_CTX_new,
    .context_free = (void (*)(void *))EVP_CIPHER_CTX_free,
    .encrypt_init = (int (*)(void *, const void *, void *, const uint8_t *, const uint8_t *))EVP_EncryptInit_ex,
    .encrypt_update = (int (*)(void *, uint8_t *, int *, const uint8_t *, int))EVP_EncryptUpdate,
    .encrypt_final = (int (*)(void *, uint8_t *, int *))EVP_EncryptFinal_ex,
    .control = (int (*)(void *, int, int, void *))EVP_CIPHER_CTX_ctrl,
};

/* Memory of just the size, so that a byte beyond it is seen. */
static uint8_t *copy(const uint8_t *packet, size_t size, size_t more)
{
    uint8_t *made = calloc(1, size + more);
    CHECK(made != NULL);
    memcpy(made, packet, size);
    return made;
}

/* The packet of libsrtp's own test driver. */
static void test_known_packet(void)
{
    uint8_t keys[28], plain[28] = {0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe};
    static const uint8_t expected[32] = {0xc5, 0x00, 0x2e, 0xde, 0x04, 0xcf, 0xdd, 0x2e, 0xb9, 0x11, 0x59,
                                         0xe0, 0x88, 0x0a, 0xa0, 0x6e, 0xd2, 0x97, 0x68, 0x26, 0xf7, 0x96,
                                         0xb2, 0x01, 0xdf, 0x31, 0x31, 0xa1, 0x27, 0xe8, 0xa3, 0x92};
    for (uint8_t i = 0; i < 16; i++)
        keys[i] = i;
    for (uint8_t i = 0; i < 12; i++)
        keys[16 + i] = 0xa0 + i;
    memset(plain + 12, 0xab, 16);
    rt_srtp_gcm *gcm = rt_srtp_gcm_new(&cipher, rt_span_of(keys, sizeof keys));
    CHECK(gcm != NULL);
    uint8_t *packet = copy(plain, sizeof plain, RT_SRTP_GCM_TAG);
    size_t size = sizeof plain;
    CHECK_EQ(rt_srtp_gcm_seal(gcm, packet, &size, 0x1234), RT_OK);
    CHECK_EQ(size, sizeof plain + RT_SRTP_GCM_TAG);
    CHECK(memcmp(packet, plain, 12) == 0);
    CHECK(memcmp(packet + 12, expected, sizeof expected) == 0);
    free(packet);
    rt_srtp_gcm_free(gcm);
}

static void test_headers_longer_than_their_packet(void)
{
    uint8_t keys[44] = {1}, plain[12 + 8 + 4 + 4] = {0x92};
    plain[12 + 8 + 3] = 1;
    rt_srtp_gcm *gcm = rt_srtp_gcm_new(&cipher, rt_span_of(keys, sizeof keys));
    CHECK(gcm != NULL);
    for (size_t length = 12; length <= sizeof plain; length++) {
        uint8_t *packet = copy(plain, length, length == sizeof plain ? RT_SRTP_GCM_TAG : 0);
        size_t size = length;
        CHECK_EQ(rt_srtp_gcm_seal(gcm, packet, &size, 1), length == sizeof plain ? RT_OK : RT_MALFORMED);
        CHECK(memcmp(packet, plain, length) == 0); /* no payload: all of it is in clear */
        CHECK_EQ(size, length == sizeof plain ? length + RT_SRTP_GCM_TAG : length);
        free(packet);
    }
    rt_srtp_gcm_free(gcm);
}

static void test_no_cipher(void)
{
    uint8_t keys[28] = {0};
    rt_srtp_cipher none = {0};
    CHECK(rt_srtp_gcm_new(&none, rt_span_of(keys, sizeof keys)) == NULL);
}

int main(int argc, char **argv)
{
    RUN(test_known_packet);
    RUN(test_headers_longer_than_their_packet);
    RUN(test_no_cipher);
    CHECK_MAIN_END;
}
