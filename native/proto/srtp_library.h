/* libsrtp 2.x as proto/srtp calls it: a table of its functions, and its structures as they lie in memory.
 *
 * Nothing is linked: the table is filled by who has the library loaded (rtcore.native.srtp takes the addresses from
 * pylibsrtp's binding, and compares the sizes and offsets below with what that was compiled with). Tests of the machines
 * above fill one with functions of their own.
 */
#ifndef RT_PROTO_SRTP_LIBRARY_H
#define RT_PROTO_SRTP_LIBRARY_H

#include <stdint.h>

/* srtp_err_status_t, those that we tell apart. */
enum {
    RT_LIBSRTP_OK = 0,
    RT_LIBSRTP_BAD_PARAM = 2,
    RT_LIBSRTP_ALLOC_FAIL = 3,
    RT_LIBSRTP_AUTH_FAIL = 7,
    RT_LIBSRTP_REPLAY_FAIL = 9,
    RT_LIBSRTP_REPLAY_OLD = 10,
    RT_LIBSRTP_NO_CONTEXT = 13,
    RT_LIBSRTP_KEY_EXPIRED = 15,
    RT_LIBSRTP_PARSE = 21,
};

/* srtp_ssrc_type_t */
enum { RT_LIBSRTP_SPECIFIC = 1, RT_LIBSRTP_ANY_INBOUND = 2, RT_LIBSRTP_ANY_OUTBOUND = 3 };

typedef struct rt_libsrtp_crypto { /* srtp_crypto_policy_t */
    uint32_t cipher_type;
    int cipher_key_len;
    uint32_t auth_type;
    int auth_key_len;
    int auth_tag_len;
    int services;
} rt_libsrtp_crypto;

typedef struct rt_libsrtp_policy { /* srtp_policy_t */
    int ssrc_type;
    unsigned int ssrc;
    rt_libsrtp_crypto rtp, rtcp;
    unsigned char *key;
    void **keys;
    unsigned long key_count;
    void *deprecated_ekt;
    unsigned long window_size;
    int allow_repeat_tx;
    int *encrypted_extensions;
    int encrypted_extension_count;
    struct rt_libsrtp_policy *next;
} rt_libsrtp_policy;

typedef void *rt_libsrtp_session;

/* Transforms work in place and change `*size`. */
typedef int rt_libsrtp_transform(rt_libsrtp_session session, void *packet, int *size);
typedef int rt_libsrtp_profile(rt_libsrtp_crypto *policy, int profile);

/* What of OpenSSL 3 libsrtp itself calls to encrypt (openssl/evp.h). `fetch` NULL: it is linked with something else, or
 * in a way that hides it; everything goes through libsrtp then. */
typedef struct rt_srtp_cipher {
    void *(*fetch)(void *context, const char *algorithm, const char *properties); /* EVP_CIPHER_fetch */
    void (*free)(void *cipher);                                                   /* EVP_CIPHER_free */
    void *(*context_new)(void);                                                   /* EVP_CIPHER_CTX_new */
    void (*context_free)(void *context);                                          /* EVP_CIPHER_CTX_free */
    int (*encrypt_init)(void *context, const void *cipher, void *engine, const uint8_t *key,
                        const uint8_t *iv); /* EVP_EncryptInit_ex */
    int (*encrypt_update)(void *context, uint8_t *out, int *written, const uint8_t *in, int size);
    int (*encrypt_final)(void *context, uint8_t *out, int *written);        /* EVP_EncryptFinal_ex */
    int (*control)(void *context, int type, int argument, void *parameter); /* EVP_CIPHER_CTX_ctrl */
} rt_srtp_cipher;

typedef struct rt_srtp_library {
    rt_libsrtp_profile *rtp_profile, *rtcp_profile;
    int (*create)(rt_libsrtp_session *session, const rt_libsrtp_policy *policy);
    int (*dealloc)(rt_libsrtp_session session);
    int (*add_stream)(rt_libsrtp_session session, const rt_libsrtp_policy *policy);
    int (*remove_stream)(rt_libsrtp_session session, uint32_t ssrc); /* in network byte order, as memory has it */
    rt_libsrtp_transform *protect, *unprotect, *protect_rtcp, *unprotect_rtcp;
    rt_srtp_cipher cipher;
} rt_srtp_library;

#endif
