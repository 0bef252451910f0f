#include "base/crypto.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define HMAC_BLOCK_MAX 128

static const struct {
    const char *name;
    uint8_t size;
    uint8_t block;
} hashes[] = {
    [RT_MD5] = {"MD5", 16, 64},        [RT_SHA1] = {"SHA1", 20, 64},      [RT_SHA256] = {"SHA256", 32, 64},
    [RT_SHA384] = {"SHA384", 48, 128}, [RT_SHA512] = {"SHA512", 64, 128},
};

size_t rt_hash_size(rt_hash hash)
{
    return hashes[hash].size;
}

rt_status rt_hash_digest(rt_hash hash, rt_span data, uint8_t out[RT_HASH_MAX])
{
    EVP_MD *md = EVP_MD_fetch(NULL, hashes[hash].name, NULL);
    bool ok = md && EVP_Digest(data.data, data.size, out, NULL, md, NULL) == 1;
    EVP_MD_free(md);
    return ok ? RT_OK : RT_SYSTEM;
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, text)). The states after both pads are kept and copied for each
 * message: a third less time on short messages than re-initialising an EVP_MAC, and half of its dup. */
struct rt_hmac {
    EVP_MD_CTX *inner;
    EVP_MD_CTX *outer;
    EVP_MD_CTX *work;
    size_t size;
};

static bool start_with_pad(EVP_MD_CTX *context, const EVP_MD *md, const uint8_t *key, size_t block, uint8_t pad)
{
    uint8_t padded[HMAC_BLOCK_MAX];
    for (size_t i = 0; i < block; i++)
        padded[i] = key[i] ^ pad;
    bool ok = EVP_DigestInit_ex(context, md, NULL) == 1 && EVP_DigestUpdate(context, padded, block) == 1;
    OPENSSL_cleanse(padded, sizeof padded);
    return ok;
}

rt_hmac *rt_hmac_new(rt_hash hash, rt_span key)
{
    rt_hmac *hmac = calloc(1, sizeof *hmac);
    EVP_MD *md = EVP_MD_fetch(NULL, hashes[hash].name, NULL);
    uint8_t block[HMAC_BLOCK_MAX] = {0};
    bool ok = hmac && md;
    if (ok) {
        hmac->size = hashes[hash].size;
        hmac->inner = EVP_MD_CTX_new();
        hmac->outer = EVP_MD_CTX_new();
        hmac->work = EVP_MD_CTX_new();
        ok = hmac->inner && hmac->outer && hmac->work;
    }
    if (ok && key.size > hashes[hash].block)
        ok = EVP_Digest(key.data, key.size, block, NULL, md, NULL) == 1;
    else if (ok && key.size)
        memcpy(block, key.data, key.size);
    ok = ok && start_with_pad(hmac->inner, md, block, hashes[hash].block, 0x36) &&
         start_with_pad(hmac->outer, md, block, hashes[hash].block, 0x5c);
    OPENSSL_cleanse(block, sizeof block);
    EVP_MD_free(md);
    if (ok)
        return hmac;
    rt_hmac_free(hmac);
    return NULL;
}

void rt_hmac_free(rt_hmac *hmac)
{
    if (!hmac)
        return;
    EVP_MD_CTX_free(hmac->inner); /* wipes its state */
    EVP_MD_CTX_free(hmac->outer);
    EVP_MD_CTX_free(hmac->work);
    free(hmac);
}

rt_status rt_hmac_sign(rt_hmac *hmac, const rt_span *parts, size_t count, uint8_t out[RT_HASH_MAX])
{
    bool ok = EVP_MD_CTX_copy_ex(hmac->work, hmac->inner) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_DigestUpdate(hmac->work, parts[i].data, parts[i].size) == 1;
    ok = ok && EVP_DigestFinal_ex(hmac->work, out, NULL) == 1 && EVP_MD_CTX_copy_ex(hmac->work, hmac->outer) == 1 &&
         EVP_DigestUpdate(hmac->work, out, hmac->size) == 1 && EVP_DigestFinal_ex(hmac->work, out, NULL) == 1;
    return ok ? RT_OK : RT_SYSTEM;
}

/* OpenSSL's mode for records of TLS: one parameter and one call each, where nonce, associated data, text, end and
 * tag would be five, of which three look parameters up by name. That halves the time of a short record, and takes
 * a fifth off one that fills a packet. The parameter is made once; it points to `aad`. */
struct rt_gcm {
    EVP_CIPHER_CTX *context;
    OSSL_PARAM parameters[2];
    uint8_t aad[EVP_AEAD_TLS1_AAD_LEN];
    bool encrypt;
};

static rt_gcm *new_gcm(rt_span key, bool encrypt)
{
    assert(key.size == 16 || key.size == 32);
    rt_gcm *gcm = calloc(1, sizeof *gcm);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, key.size == 16 ? "AES-128-GCM" : "AES-256-GCM", NULL);
    bool ok = gcm && cipher && (gcm->context = EVP_CIPHER_CTX_new()) != NULL &&
              EVP_CipherInit_ex(gcm->context, cipher, NULL, key.data, NULL, encrypt) == 1;
    EVP_CIPHER_free(cipher);
    if (!ok) {
        rt_gcm_free(gcm);
        return NULL;
    }
    gcm->parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, gcm->aad, sizeof gcm->aad);
    gcm->parameters[1] = OSSL_PARAM_construct_end();
    gcm->encrypt = encrypt;
    return gcm;
}

/* The fixed part of the nonce; a size of -1 stands for all of it. */
static rt_gcm *fix_nonce(rt_gcm *gcm, uint8_t *nonce, int size)
{
    if (!gcm || EVP_CIPHER_CTX_ctrl(gcm->context, EVP_CTRL_AEAD_SET_IV_FIXED, size, nonce) == 1)
        return gcm;
    rt_gcm_free(gcm);
    return NULL;
}

rt_gcm *rt_gcm_sealer_new(rt_span key, const uint8_t salt[RT_GCM_SALT], uint64_t first_number)
{
    uint8_t nonce[RT_GCM_SALT + RT_GCM_NUMBER];
    memcpy(nonce, salt, RT_GCM_SALT);
    rt_store64(nonce + RT_GCM_SALT, first_number);
    return fix_nonce(new_gcm(key, true), nonce, -1);
}

rt_gcm *rt_gcm_opener_new(rt_span key, const uint8_t salt[RT_GCM_SALT])
{
    uint8_t nonce[RT_GCM_SALT];
    memcpy(nonce, salt, RT_GCM_SALT);
    return fix_nonce(new_gcm(key, false), nonce, RT_GCM_SALT);
}

void rt_gcm_free(rt_gcm *gcm)
{
    if (!gcm)
        return;
    EVP_CIPHER_CTX_free(gcm->context); /* wipes the key schedule */
    free(gcm);
}

/* `length` is that of the record, from which OpenSSL works out what the tag covers. */
static bool start_record(rt_gcm *gcm, const uint8_t head[RT_GCM_HEAD], size_t length)
{
    memcpy(gcm->aad, head, RT_GCM_HEAD);
    rt_store16(gcm->aad + RT_GCM_HEAD, (uint16_t)length);
    return EVP_CIPHER_CTX_set_params(gcm->context, gcm->parameters) == 1;
}

rt_status rt_gcm_seal(rt_gcm *gcm, const uint8_t head[RT_GCM_HEAD], uint8_t *record, size_t size)
{
    assert(gcm->encrypt);
    size_t all = RT_GCM_NUMBER + size + RT_GCM_TAG;
    if (all > UINT16_MAX)
        return RT_TOO_LARGE;
    bool ok = start_record(gcm, head, RT_GCM_NUMBER + size) &&
              EVP_Cipher(gcm->context, record, record, (unsigned)all) == (int)all;
    return ok ? RT_OK : RT_SYSTEM;
}

rt_status rt_gcm_open(rt_gcm *gcm, const uint8_t head[RT_GCM_HEAD], uint8_t *record, size_t size)
{
    assert(!gcm->encrypt);
    size_t all = RT_GCM_NUMBER + size + RT_GCM_TAG;
    if (all > UINT16_MAX)
        return RT_TOO_LARGE;
    if (!start_record(gcm, head, all))
        return RT_SYSTEM;
    /* Negative: the tag is wrong. Else a size, of the record or of its text; that depends on the version. */
    return EVP_Cipher(gcm->context, record, record, (unsigned)all) >= 0 ? RT_OK : RT_UNAUTHENTICATED;
}

bool rt_equal_secret(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void rt_wipe(void *data, size_t size)
{
    OPENSSL_cleanse(data, size);
}

rt_status rt_seed(uint8_t seed[RT_RANDOM_SEED])
{
    return RAND_priv_bytes(seed, RT_RANDOM_SEED) == 1 ? RT_OK : RT_SYSTEM;
}
