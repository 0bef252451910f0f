#include "base/crypto.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
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

struct rt_gcm {
    EVP_CIPHER_CTX *context;
    bool encrypt;
};

rt_gcm *rt_gcm_new(rt_span key, bool encrypt)
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
    gcm->encrypt = encrypt;
    return gcm;
}

void rt_gcm_free(rt_gcm *gcm)
{
    if (!gcm)
        return;
    EVP_CIPHER_CTX_free(gcm->context); /* wipes the key schedule */
    free(gcm);
}

/* The nonce and the associated data, before the text. */
static bool start_message(rt_gcm *gcm, const uint8_t nonce[RT_GCM_NONCE], rt_span aad)
{
    int done;
    return EVP_CipherInit_ex(gcm->context, NULL, NULL, NULL, nonce, -1) == 1 &&
           (aad.size == 0 || EVP_CipherUpdate(gcm->context, NULL, &done, aad.data, (int)aad.size) == 1);
}

rt_status rt_gcm_seal(rt_gcm *gcm, const uint8_t nonce[RT_GCM_NONCE], rt_span aad, uint8_t *text, size_t size)
{
    assert(gcm->encrypt);
    if (size > INT_MAX || aad.size > INT_MAX)
        return RT_TOO_LARGE;
    int done;
    bool ok = start_message(gcm, nonce, aad) &&
              (size == 0 || EVP_EncryptUpdate(gcm->context, text, &done, text, (int)size) == 1) &&
              EVP_EncryptFinal_ex(gcm->context, text + size, &done) == 1 &&
              EVP_CIPHER_CTX_ctrl(gcm->context, EVP_CTRL_AEAD_GET_TAG, RT_GCM_TAG, text + size) == 1;
    return ok ? RT_OK : RT_SYSTEM;
}

rt_status rt_gcm_open(rt_gcm *gcm, const uint8_t nonce[RT_GCM_NONCE], rt_span aad, uint8_t *text, size_t size)
{
    assert(!gcm->encrypt);
    if (size > INT_MAX || aad.size > INT_MAX)
        return RT_TOO_LARGE;
    int done;
    bool ok = start_message(gcm, nonce, aad) &&
              (size == 0 || EVP_DecryptUpdate(gcm->context, text, &done, text, (int)size) == 1) &&
              EVP_CIPHER_CTX_ctrl(gcm->context, EVP_CTRL_AEAD_SET_TAG, RT_GCM_TAG, text + size) == 1;
    if (!ok)
        return RT_SYSTEM;
    return EVP_DecryptFinal_ex(gcm->context, text + size, &done) == 1 ? RT_OK : RT_UNAUTHENTICATED;
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
