#include "proto/srtp_gcm.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/prefetch.h"
#include "wire/rtp.h"

enum {
    SALT = 12,
    KEY_MAX = 32,
    BLOCK = 16,
    LABEL_AT = 7,
    LABEL_KEY = 0, /* RFC 3711 section 4.3.1 */
    LABEL_SALT = 2,
    CONTEXT = 192,  /* bytes of OpenSSL's that every call reads: an EVP_CIPHER_CTX is about as large */
    GET_TAG = 0x10, /* EVP_CTRL_AEAD_GET_TAG */
};

struct rt_srtp_gcm {
    const rt_srtp_cipher *library;
    void *context; /* keyed once; a packet sets its nonce only */
    uint8_t salt[SALT];
};

/* ---- keys ---- */

/* The key stream of AES in counter mode from `label` and the master salt on (RFC 3711 section 4.3.3; the salt of 96
 * bits is followed by zeros). */
static bool derive(const rt_srtp_cipher *library, void *context, const void *cipher, rt_span keys, uint8_t label,
                   uint8_t *out, int size)
{
    static const uint8_t zeros[KEY_MAX];
    uint8_t counter[BLOCK] = {0};
    int written = 0;
    memcpy(counter, keys.data + keys.size - SALT, SALT);
    counter[LABEL_AT] ^= label;
    return library->encrypt_init(context, cipher, NULL, keys.data, counter) == 1 &&
           library->encrypt_update(context, out, &written, zeros, size) == 1 && written == size;
}

static bool set_keys(rt_srtp_gcm *gcm, const void *counter_mode, const void *cipher, rt_span keys)
{
    uint8_t key[KEY_MAX];
    int key_size = (int)keys.size - SALT;
    const rt_srtp_cipher *library = gcm->library;
    void *context = library->context_new();
    bool ok = context && derive(library, context, counter_mode, keys, LABEL_KEY, key, key_size) &&
              derive(library, context, counter_mode, keys, LABEL_SALT, gcm->salt, SALT) &&
              library->encrypt_init(gcm->context, cipher, NULL, key, NULL) == 1;
    library->context_free(context);
    rt_wipe(key, sizeof key);
    return ok;
}

rt_srtp_gcm *rt_srtp_gcm_new(const rt_srtp_cipher *library, rt_span keys)
{
    assert(keys.size == 16 + SALT || keys.size == 32 + SALT);
    if (!library->fetch)
        return NULL;
    rt_srtp_gcm *gcm = calloc(1, sizeof *gcm);
    if (!gcm)
        return NULL;
    bool wide = keys.size == 32 + SALT;
    gcm->library = library;
    gcm->context = library->context_new();
    void *counter_mode = library->fetch(NULL, wide ? "AES-256-CTR" : "AES-128-CTR", NULL);
    void *cipher = library->fetch(NULL, wide ? "AES-256-GCM" : "AES-128-GCM", NULL);
    bool ok = gcm->context && counter_mode && cipher && set_keys(gcm, counter_mode, cipher, keys);
    library->free(counter_mode); /* the contexts have references of their own */
    library->free(cipher);
    if (ok)
        return gcm;
    rt_srtp_gcm_free(gcm);
    return NULL;
}

void rt_srtp_gcm_free(rt_srtp_gcm *gcm)
{
    if (!gcm)
        return;
    gcm->library->context_free(gcm->context); /* wipes the key schedule */
    rt_wipe(gcm->salt, sizeof gcm->salt);
    free(gcm);
}

/* ---- packets ---- */

void rt_srtp_gcm_prefetch(const rt_srtp_gcm *gcm, int step)
{
    if (step == 0)
        rt_prefetch(gcm, sizeof *gcm);
    else
        rt_prefetch(gcm->context, CONTEXT);
}

/* What stays in clear; 0: it is longer than the packet. */
static size_t header_size(const uint8_t *packet, size_t size)
{
    size_t header = RT_RTP_HEADER + 4 * (size_t)(packet[0] & 15);
    if (packet[0] & 0x10) {
        if (size < header + 4)
            return 0;
        header += 4 + 4 * (size_t)rt_load16(packet + header + 2);
    }
    return header <= size ? header : 0;
}

rt_status rt_srtp_gcm_seal(rt_srtp_gcm *gcm, uint8_t *packet, size_t *size, uint64_t index)
{
    size_t header = header_size(packet, *size);
    if (header == 0)
        return RT_MALFORMED;
    uint8_t nonce[SALT] = {0}, *text = packet + header, *end = packet + *size;
    memcpy(nonce + 2, packet + 8, 4);
    rt_store32(nonce + 6, (uint32_t)(index >> 16));
    rt_store16(nonce + 10, (uint16_t)index);
    for (int i = 0; i < SALT; i++)
        nonce[i] ^= gcm->salt[i];
    const rt_srtp_cipher *library = gcm->library;
    int written, all = (int)(end - text);
    bool ok = library->encrypt_init(gcm->context, NULL, NULL, NULL, nonce) == 1 &&
              library->encrypt_update(gcm->context, NULL, &written, packet, (int)header) == 1 &&
              (all == 0 || library->encrypt_update(gcm->context, text, &written, text, all) == 1) &&
              library->encrypt_final(gcm->context, end, &written) == 1 &&
              library->control(gcm->context, GET_TAG, RT_SRTP_GCM_TAG, end) == 1;
    if (!ok)
        return RT_SYSTEM;
    *size += RT_SRTP_GCM_TAG;
    return RT_OK;
}
