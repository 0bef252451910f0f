#include "proto/dtls_internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

/* P_hash of RFC 5246 section 5, over the label and both randoms. */
rt_status rt_dtls_prf(const rt_dtls *dtls, rt_span label, bool client_first, rt_buffer out)
{
    const uint8_t *first = client_first ? dtls->client_random : dtls->server_random;
    const uint8_t *second = client_first ? dtls->server_random : dtls->client_random;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_PRF, NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)dtls->hash, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)dtls->master, MASTER_SECRET),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)label.data, label.size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)first, HELLO_RANDOM),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)second, HELLO_RANDOM),
        OSSL_PARAM_construct_end(),
    };
    bool ok = context && EVP_KDF_derive(context, out.data, out.size, parameters) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    ERR_clear_error();
    return ok ? RT_OK : RT_SYSTEM;
}

/* RFC 5246 section 6.3 with the lengths of RFC 5288: no MAC keys, two keys, two salts of four bytes. */
rt_status rt_dtls_derive_keys(rt_dtls *dtls, size_t key_size)
{
    uint8_t block[2 * 32 + 2 * 4];
    size_t size = 2 * key_size + 2 * 4;
    rt_status status = rt_dtls_prf(dtls, rt_span_text("key expansion"), false, rt_buffer_of(block, size));
    if (status == RT_OK) {
        bool client = dtls->config.role == RT_DTLS_CLIENT;
        const uint8_t *client_key = block, *server_key = block + key_size;
        const uint8_t *client_salt = block + 2 * key_size, *server_salt = client_salt + 4;
        rt_span ours = rt_span_of(client ? client_key : server_key, key_size);
        rt_span theirs = rt_span_of(client ? server_key : client_key, key_size);
        dtls->sealer = rt_gcm_sealer_new(ours, client ? client_salt : server_salt, UINT64_C(1) << 48);
        dtls->opener = rt_gcm_opener_new(theirs, client ? server_salt : client_salt);
        if (!dtls->sealer || !dtls->opener)
            status = RT_NO_MEMORY;
    }
    rt_wipe(block, sizeof block);
    return status;
}

/* RFC 5246 section 6.2.3.3: what a tag covers of the header, in the order of TLS. */
static void write_head(uint8_t head[RT_GCM_HEAD], const uint8_t *record)
{
    memcpy(head, record + 3, 8);
    head[8] = record[0];
    memcpy(head + 9, record + 1, 2);
}

/* The explicit nonce counts from epoch 1, sequence number 0, and with the records, so it is the record's number,
 * as RFC 5288 section 3 suggests: the Finished messages and alerts are sealed here too. */
rt_status rt_dtls_record_seal(rt_dtls *dtls, uint8_t *record, uint8_t type, uint16_t version, unsigned epoch,
                              size_t size)
{
    uint64_t sequence = dtls->sequence[epoch];
    if (sequence > SEQUENCE_MAX)
        return RT_CLOSED;
    dtls->sequence[epoch]++;
    record[0] = type;
    rt_store16(record + 1, version);
    rt_store64(record + 3, (uint64_t)epoch << 48 | sequence);
    rt_store16(record + 11, (uint16_t)(epoch ? size + RECORD_SEALED : size));
    if (!epoch)
        return RT_OK;
    uint8_t head[RT_GCM_HEAD];
    write_head(head, record);
    return rt_gcm_seal(dtls->sealer, head, record + RECORD_HEADER, size);
}

rt_status rt_dtls_record_open(rt_dtls *dtls, uint8_t *record, size_t size)
{
    if (size < RECORD_SEALED || size > RECORD_MAX + RECORD_SEALED) {
        dtls->stats.malformed++;
        return RT_MALFORMED;
    }
    uint64_t sequence = rt_load64(record + 3) & SEQUENCE_MAX;
    if (!rt_dtls_window_fresh(&dtls->window, sequence)) {
        dtls->stats.replayed++;
        return RT_REPLAYED;
    }
    uint8_t head[RT_GCM_HEAD];
    write_head(head, record);
    rt_status status = rt_gcm_open(dtls->opener, head, record + RECORD_HEADER, size - RECORD_SEALED);
    if (status != RT_OK) {
        dtls->stats.unauthenticated++;
        return status;
    }
    rt_dtls_window_mark(&dtls->window, sequence);
    return RT_OK;
}

bool rt_dtls_window_fresh(const rt_dtls_window *window, uint64_t sequence)
{
    if (sequence >= window->top)
        return true;
    if (sequence + WINDOW_SIZE < window->top)
        return false;
    return !(window->blocks[sequence / 64 % WINDOW_BLOCKS] >> sequence % 64 & 1);
}

void rt_dtls_window_mark(rt_dtls_window *window, uint64_t sequence)
{
    if (sequence >= window->top) {
        /* The block of the last number is in use already; those entered now hold numbers long gone. */
        uint64_t block = window->top ? (window->top - 1) / 64 : 0;
        uint64_t steps = sequence / 64 - block;
        for (uint64_t i = 1; i <= steps && i <= WINDOW_BLOCKS; i++)
            window->blocks[(block + i) % WINDOW_BLOCKS] = 0;
        window->top = sequence + 1;
    }
    window->blocks[sequence / 64 % WINDOW_BLOCKS] |= UINT64_C(1) << sequence % 64;
}
