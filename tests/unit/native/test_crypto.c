/* base/crypto against published vectors (RFC 1321, FIPS 180-4, RFC 2202, RFC 4231), and its records against
 * OpenSSL's plain AES-GCM. */
#include "base/crypto.h"

#include <openssl/evp.h>

#include "check.h"

static size_t from_hex(const char *text, uint8_t *out)
{
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        CHECK_EQ(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return size;
}

static void check_hex(const uint8_t *bytes, const char *text)
{
    uint8_t expected[128];
    size_t size = from_hex(text, expected);
    CHECK_BYTES(bytes, expected, size);
}

static void hashes_of_abc(void)
{
    static const struct {
        rt_hash hash;
        size_t size;
        const char *digest;
    } vectors[] = {
        {RT_MD5, 16, "900150983cd24fb0d6963f7d28e17f72"},
        {RT_SHA1, 20, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {RT_SHA256, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {RT_SHA384, 48,
         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
        {RT_SHA512, 64,
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t out[RT_HASH_MAX];
        CHECK_EQ(rt_hash_size(vectors[i].hash), vectors[i].size);
        CHECK_EQ(rt_hash_digest(vectors[i].hash, rt_span_text("abc"), out), RT_OK);
        check_hex(out, vectors[i].digest);
    }
    uint8_t out[RT_HASH_MAX];
    CHECK_EQ(rt_hash_digest(RT_SHA1, rt_span_of(NULL, 0), out), RT_OK);
    check_hex(out, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

/* Signs the text whole, in two parts and byte by byte, twice over: a context can be used again. */
static void check_hmac(rt_hash hash, rt_span key, rt_span text, const char *expected)
{
    rt_hmac *hmac = rt_hmac_new(hash, key);
    CHECK(hmac);
    rt_span bytes[256];
    CHECK(text.size <= 256);
    for (size_t i = 0; i < text.size; i++)
        bytes[i] = rt_span_of(text.data + i, 1);
    for (int round = 0; round < 2; round++) {
        uint8_t out[RT_HASH_MAX];
        CHECK_EQ(rt_hmac_sign(hmac, &text, 1, out), RT_OK);
        check_hex(out, expected);
        rt_span parts[2] = {{text.data, 3}, {text.data + 3, text.size - 3}};
        memset(out, 0, sizeof out);
        CHECK_EQ(rt_hmac_sign(hmac, parts, 2, out), RT_OK);
        check_hex(out, expected);
        memset(out, 0, sizeof out);
        CHECK_EQ(rt_hmac_sign(hmac, bytes, text.size, out), RT_OK);
        check_hex(out, expected);
    }
    rt_hmac_free(hmac);
}

static void hmac_rfc2202(void)
{
    uint8_t key[80], text[50];
    memset(key, 0x0b, 20);
    check_hmac(RT_MD5, rt_span_of(key, 16), rt_span_text("Hi There"), "9294727a3638bb1c13f48ef8158bfc9d");
    check_hmac(RT_SHA1, rt_span_of(key, 20), rt_span_text("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00");
    check_hmac(RT_MD5, rt_span_text("Jefe"), rt_span_text("what do ya want for nothing?"),
               "750c783e6ab0b503eaa86e310a5db738");
    check_hmac(RT_SHA1, rt_span_text("Jefe"), rt_span_text("what do ya want for nothing?"),
               "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    memset(key, 0xaa, sizeof key);
    memset(text, 0xdd, sizeof text);
    check_hmac(RT_SHA1, rt_span_of(key, 20), rt_span_of(text, 50), "125d7342b9ac11cd91a39af48aa17b4f63f175d3");
    check_hmac(RT_SHA1, rt_span_of(key, 80), rt_span_text("Test Using Larger Than Block-Size Key - Hash Key First"),
               "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    check_hmac(RT_SHA1, rt_span_of(key, 80),
               rt_span_text("Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"),
               "e8e99d0f45237d786d6bbaa7965c7808bbff1a91");
}

static void hmac_rfc4231(void)
{
    uint8_t key[131];
    memset(key, 0x0b, sizeof key);
    check_hmac(RT_SHA256, rt_span_of(key, 20), rt_span_text("Hi There"),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac(RT_SHA384, rt_span_of(key, 20), rt_span_text("Hi There"),
               "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6");
    check_hmac(RT_SHA512, rt_span_of(key, 20), rt_span_text("Hi There"),
               "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
               "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
    check_hmac(RT_SHA256, rt_span_text("Jefe"), rt_span_text("what do ya want for nothing?"),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    rt_span text = rt_span_text("Test Using Larger Than Block-Size Key - Hash Key First");
    check_hmac(RT_SHA256, rt_span_of(key, 131), text,
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    check_hmac(RT_SHA512, rt_span_of(key, 131), text,
               "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
               "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
}

static void hmac_of_nothing(void)
{
    rt_hmac *hmac = rt_hmac_new(RT_SHA256, rt_span_of(NULL, 0));
    uint8_t out[RT_HASH_MAX];
    CHECK_EQ(rt_hmac_sign(hmac, NULL, 0, out), RT_OK);
    check_hex(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    rt_hmac_free(hmac);
    rt_hmac_free(NULL);
}

/* A record as OpenSSL's plain AES-GCM makes it: the nonce is salt and number, the tag covers head and size. */
static void seal_plainly(rt_span key, const uint8_t *salt, const uint8_t *head, uint8_t *record, size_t size)
{
    uint8_t nonce[RT_GCM_SALT + RT_GCM_NUMBER], aad[RT_GCM_HEAD + 2];
    memcpy(nonce, salt, RT_GCM_SALT);
    memcpy(nonce + RT_GCM_SALT, record, RT_GCM_NUMBER);
    memcpy(aad, head, RT_GCM_HEAD);
    rt_store16(aad + RT_GCM_HEAD, (uint16_t)size);
    uint8_t *text = record + RT_GCM_NUMBER;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = key.size == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
    int done;
    CHECK_EQ(EVP_EncryptInit_ex(context, cipher, NULL, key.data, nonce), 1);
    CHECK_EQ(EVP_EncryptUpdate(context, NULL, &done, aad, sizeof aad), 1);
    CHECK_EQ(EVP_EncryptUpdate(context, text, &done, text, (int)size), 1);
    CHECK_EQ(EVP_EncryptFinal_ex(context, text + size, &done), 1);
    CHECK_EQ(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, RT_GCM_TAG, text + size), 1);
    EVP_CIPHER_CTX_free(context);
}

/* RFC 5288 section 3, with both key sizes and texts around the block size; the numbers count up. */
static void gcm_records(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 300, 1160, 16384};
    static uint8_t record[RT_GCM_NUMBER + 16384 + RT_GCM_TAG], expected[sizeof record];
    uint8_t key[32], salt[RT_GCM_SALT] = {0xca, 0xfe, 0xba, 0xbe}, head[RT_GCM_HEAD];
    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(3 * i + 1);
    for (size_t key_size = 16; key_size <= 32; key_size += 16) {
        uint64_t number = UINT64_C(0x0001fffffffffffe); /* so that the count carries */
        rt_gcm *sealer = rt_gcm_sealer_new(rt_span_of(key, key_size), salt, number);
        rt_gcm *opener = rt_gcm_opener_new(rt_span_of(key, key_size), salt);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++, number++) {
            memset(head, (int)i, sizeof head);
            memset(record, 0x5a, sizeof record);
            memset(expected, 0x5a, sizeof expected);
            rt_store64(expected, number);
            seal_plainly(rt_span_of(key, key_size), salt, head, expected, sizes[i]);
            CHECK_EQ(rt_gcm_seal(sealer, head, record, sizes[i]), RT_OK);
            CHECK(memcmp(record, expected, sizeof record) == 0);
            CHECK_EQ(rt_gcm_open(opener, head, record, sizes[i]), RT_OK);
            for (size_t at = 0; at < sizes[i]; at++)
                CHECK_EQ(record[RT_GCM_NUMBER + at], 0x5a);
        }
        CHECK_EQ(rt_gcm_seal(sealer, head, record, 65536), RT_TOO_LARGE);
        CHECK_EQ(rt_gcm_open(opener, head, record, 65536), RT_TOO_LARGE);
        rt_gcm_free(sealer);
        rt_gcm_free(opener);
    }
    rt_gcm_free(NULL);
}

/* Each single changed bit of number, text, tag or head, and another size, is found; the context stays usable. */
static void gcm_tampered(void)
{
    enum { SIZE = 40 };
    uint8_t key[16] = {1, 2, 3}, salt[RT_GCM_SALT] = {4}, head[RT_GCM_HEAD] = {5};
    uint8_t sealed[RT_GCM_NUMBER + SIZE + RT_GCM_TAG], copy[sizeof sealed];
    memset(sealed, 0x5a, sizeof sealed);
    rt_gcm *sealer = rt_gcm_sealer_new(rt_span_of(key, 16), salt, 7);
    rt_gcm *opener = rt_gcm_opener_new(rt_span_of(key, 16), salt);
    CHECK_EQ(rt_gcm_seal(sealer, head, sealed, SIZE), RT_OK);
    for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
        memcpy(copy, sealed, sizeof sealed);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_EQ(rt_gcm_open(opener, head, copy, SIZE), RT_UNAUTHENTICATED);
    }
    for (size_t bit = 0; bit < sizeof head * 8; bit++) {
        memcpy(copy, sealed, sizeof sealed);
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_EQ(rt_gcm_open(opener, head, copy, SIZE), RT_UNAUTHENTICATED);
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    memcpy(copy, sealed, sizeof sealed);
    CHECK_EQ(rt_gcm_open(opener, head, copy, SIZE - 1), RT_UNAUTHENTICATED);
    memcpy(copy, sealed, sizeof sealed);
    CHECK_EQ(rt_gcm_open(opener, head, copy, SIZE), RT_OK);
    for (int i = 0; i < SIZE; i++)
        CHECK_EQ(copy[RT_GCM_NUMBER + i], 0x5a);
    rt_gcm_free(sealer);
    rt_gcm_free(opener);
}

static void secrets(void)
{
    uint8_t a[RT_RANDOM_SEED] = {0}, b[RT_RANDOM_SEED] = {0};
    CHECK(rt_equal_secret(a, b, sizeof a));
    CHECK_EQ(rt_seed(a), RT_OK);
    CHECK_EQ(rt_seed(b), RT_OK);
    CHECK(!rt_equal_secret(a, b, sizeof a));
    rt_wipe(a, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        CHECK_EQ(a[i], 0);
}

int main(int argc, char **argv)
{
    RUN(hashes_of_abc);
    RUN(hmac_rfc2202);
    RUN(hmac_rfc4231);
    RUN(hmac_of_nothing);
    RUN(gcm_records);
    RUN(gcm_tampered);
    RUN(secrets);
    CHECK_MAIN_END;
}
