/* base/crypto against published vectors: RFC 1321, FIPS 180-4, RFC 2202, RFC 4231, the GCM specification. */
#include "base/crypto.h"
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

/* McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B: cases 1 to 4, 13 to 16. */
static const struct {
    const char *key, *nonce, *aad, *plain, *sealed;
} gcm_vectors[] = {
    {"00000000000000000000000000000000", "000000000000000000000000", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
    {"00000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
    {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void gcm_specification(void)
{
    for (size_t i = 0; i < sizeof gcm_vectors / sizeof *gcm_vectors; i++) {
        uint8_t key[32], nonce[RT_GCM_NONCE], aad[32], text[128];
        size_t key_size = from_hex(gcm_vectors[i].key, key);
        CHECK_EQ(from_hex(gcm_vectors[i].nonce, nonce), RT_GCM_NONCE);
        size_t aad_size = from_hex(gcm_vectors[i].aad, aad);
        size_t size = from_hex(gcm_vectors[i].plain, text);
        rt_gcm *sealer = rt_gcm_new(rt_span_of(key, key_size), true);
        rt_gcm *opener = rt_gcm_new(rt_span_of(key, key_size), false);
        for (int round = 0; round < 2; round++) {
            CHECK_EQ(rt_gcm_seal(sealer, nonce, rt_span_of(aad, aad_size), text, size), RT_OK);
            CHECK_EQ(strlen(gcm_vectors[i].sealed) / 2, size + RT_GCM_TAG);
            check_hex(text, gcm_vectors[i].sealed);
            CHECK_EQ(rt_gcm_open(opener, nonce, rt_span_of(aad, aad_size), text, size), RT_OK);
            check_hex(text, gcm_vectors[i].plain);
        }
        rt_gcm_free(sealer);
        rt_gcm_free(opener);
    }
    rt_gcm_free(NULL);
}

/* Each single changed bit of text, tag, nonce or associated data is found; the context stays usable. */
static void gcm_tampered(void)
{
    uint8_t key[16] = {1, 2, 3}, nonce[RT_GCM_NONCE] = {4}, aad[13] = {5}, sealed[40 + RT_GCM_TAG];
    memset(sealed, 0x5a, 40);
    rt_gcm *sealer = rt_gcm_new(rt_span_of(key, 16), true);
    rt_gcm *opener = rt_gcm_new(rt_span_of(key, 16), false);
    CHECK_EQ(rt_gcm_seal(sealer, nonce, rt_span_of(aad, 13), sealed, 40), RT_OK);
    for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
        uint8_t copy[sizeof sealed];
        memcpy(copy, sealed, sizeof sealed);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_EQ(rt_gcm_open(opener, nonce, rt_span_of(aad, 13), copy, 40), RT_UNAUTHENTICATED);
    }
    uint8_t copy[sizeof sealed];
    memcpy(copy, sealed, sizeof sealed);
    aad[12] ^= 1;
    CHECK_EQ(rt_gcm_open(opener, nonce, rt_span_of(aad, 13), copy, 40), RT_UNAUTHENTICATED);
    aad[12] ^= 1;
    memcpy(copy, sealed, sizeof sealed);
    nonce[11] ^= 1;
    CHECK_EQ(rt_gcm_open(opener, nonce, rt_span_of(aad, 13), copy, 40), RT_UNAUTHENTICATED);
    nonce[11] ^= 1;
    memcpy(copy, sealed, sizeof sealed);
    CHECK_EQ(rt_gcm_open(opener, nonce, rt_span_of(aad, 13), copy, 40), RT_OK);
    for (int i = 0; i < 40; i++)
        CHECK_EQ(copy[i], 0x5a);
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
    RUN(gcm_specification);
    RUN(gcm_tampered);
    RUN(secrets);
    CHECK_MAIN_END;
}
