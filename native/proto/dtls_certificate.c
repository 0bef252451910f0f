#define OPENSSL_SUPPRESS_DEPRECATED /* EC_KEY, see generate_key() */
#include "proto/dtls_internal.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define DAY (24 * 60 * 60)
#define DER_MAX 16000 /* its message fits one record, so that OpenSSL hands it over whole */

/* Written once, before anybody else sees it, but for the count; OpenSSL's objects are shared safely. */
struct rt_certificate {
    _Atomic uint32_t references;
    X509 *x509;
    EVP_PKEY *key;
    rt_dtls_library *library; /* may be shared with other certificates */
    uint8_t *der;
    size_t der_size;
    int64_t expires;
};

/* The old way of making a key: with a key of OpenSSL 3.0's provider, writing it into the certificate
 * goes through the generic encoders and takes 0.2 ms, twice the time of all the rest. */
static EVP_PKEY *generate_key(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    if (!ec || !key || EC_KEY_generate_key(ec) != 1 || EVP_PKEY_assign_EC_KEY(key, ec) != 1) {
        EC_KEY_free(ec);
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

/* RFC 8827 section 6.5 asks nothing of the names: the certificate is known by its fingerprint alone. The
 * beginning lies a day back, for peers whose clock is late. */
static X509 *generate_x509(EVP_PKEY *key, int64_t wall, int64_t valid)
{
    uint64_t serial;
    X509 *x509 = X509_new();
    X509_NAME *name = x509 ? X509_get_subject_name(x509) : NULL;
    bool ok = x509 && RAND_bytes((uint8_t *)&serial, sizeof serial) == 1 &&
              X509_set_version(x509, X509_VERSION_3) == 1 &&
              ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"WebRTC", -1, -1, 0) == 1 &&
              X509_set_issuer_name(x509, name) == 1 && ASN1_TIME_set(X509_getm_notBefore(x509), wall - DAY) &&
              ASN1_TIME_set(X509_getm_notAfter(x509), wall + valid) && X509_set_pubkey(x509, key) == 1 &&
              X509_sign(x509, key, EVP_sha256()) > 0;
    if (ok)
        return x509;
    X509_free(x509);
    return NULL;
}

static bool read_expiry(const X509 *x509, int64_t *out)
{
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(x509)) == 1;
    ASN1_TIME_free(epoch);
    *out = (int64_t)days * DAY + seconds;
    return ok;
}

SSL *rt_certificate_ssl(const rt_certificate *certificate)
{
    SSL *ssl = rt_dtls_library_ssl(certificate->library);
    if (ssl && SSL_use_certificate(ssl, certificate->x509) == 1 && SSL_use_PrivateKey(ssl, certificate->key) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static rt_status complete(rt_certificate *certificate, const rt_certificate *beside)
{
    certificate->library = beside ? rt_dtls_library_ref(beside->library) : rt_dtls_library_new();
    int size = i2d_X509(certificate->x509, &certificate->der);
    if (!certificate->library || size <= 0)
        return RT_SYSTEM;
    if (size > DER_MAX)
        return RT_UNSUPPORTED;
    certificate->der_size = (size_t)size;
    return read_expiry(certificate->x509, &certificate->expires) ? RT_OK : RT_MALFORMED;
}

/* Takes both objects over, also when it fails. */
static rt_status assemble(X509 *x509, EVP_PKEY *key, const rt_certificate *beside, rt_certificate **out)
{
    rt_certificate *certificate = calloc(1, sizeof *certificate);
    if (!certificate) {
        X509_free(x509);
        EVP_PKEY_free(key);
        return RT_NO_MEMORY;
    }
    certificate->references = 1;
    certificate->x509 = x509;
    certificate->key = key;
    rt_status status = complete(certificate, beside);
    if (status == RT_OK)
        *out = certificate;
    else
        rt_certificate_free(certificate);
    ERR_clear_error();
    return status;
}

rt_certificate *rt_certificate_generate_beside(const rt_certificate *other, int64_t wall_seconds, int64_t valid_seconds)
{
    rt_certificate *certificate = NULL;
    EVP_PKEY *key = generate_key();
    X509 *x509 = key ? generate_x509(key, wall_seconds, valid_seconds) : NULL;
    if (x509)
        (void)assemble(x509, key, other, &certificate); /* NULL is the answer to a failure */
    else
        EVP_PKEY_free(key);
    ERR_clear_error();
    return certificate;
}

rt_certificate *rt_certificate_generate(int64_t wall_seconds, int64_t valid_seconds)
{
    return rt_certificate_generate_beside(NULL, wall_seconds, valid_seconds);
}

/* An encrypted key is not opened; without this OpenSSL would ask at the terminal. */
static int no_password(char *out, int size, int writing, void *user)
{
    (void)out, (void)size, (void)writing, (void)user;
    return -1;
}

rt_status rt_certificate_load(rt_span certificate_pem, rt_span key_pem, rt_certificate **out)
{
    if (certificate_pem.size > INT32_MAX || key_pem.size > INT32_MAX)
        return RT_TOO_LARGE;
    BIO *certificate_bio = BIO_new_mem_buf(certificate_pem.data, (int)certificate_pem.size);
    BIO *key_bio = BIO_new_mem_buf(key_pem.data, (int)key_pem.size);
    X509 *x509 = certificate_bio ? PEM_read_bio_X509(certificate_bio, NULL, no_password, NULL) : NULL;
    EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, no_password, NULL) : NULL;
    BIO_free(certificate_bio);
    BIO_free(key_bio);
    rt_status status = RT_OK;
    if (!x509 || !key)
        status = RT_MALFORMED;
    else if (!EVP_PKEY_is_a(key, "EC") && !EVP_PKEY_is_a(key, "RSA"))
        status = RT_UNSUPPORTED;
    else if (X509_check_private_key(x509, key) != 1)
        status = RT_INVALID;
    ERR_clear_error();
    if (status != RT_OK) {
        X509_free(x509);
        EVP_PKEY_free(key);
        return status;
    }
    rt_certificate *certificate = NULL;
    status = assemble(x509, key, NULL, &certificate);
    if (status != RT_OK)
        return status;
    SSL *ssl = rt_certificate_ssl(certificate); /* OpenSSL refuses keys that are too small */
    SSL_free(ssl);
    ERR_clear_error();
    if (!ssl) {
        rt_certificate_free(certificate);
        return RT_UNSUPPORTED;
    }
    *out = certificate;
    return RT_OK;
}

rt_certificate *rt_certificate_ref(rt_certificate *certificate)
{
    certificate->references++;
    return certificate;
}

void rt_certificate_free(rt_certificate *certificate)
{
    if (!certificate || --certificate->references > 0)
        return;
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    rt_dtls_library_free(certificate->library);
    OPENSSL_free(certificate->der);
    free(certificate);
}

rt_status rt_certificate_fingerprint(const rt_certificate *certificate, rt_hash hash, uint8_t out[RT_HASH_MAX])
{
    return rt_hash_digest(hash, rt_certificate_der(certificate), out);
}

rt_span rt_certificate_der(const rt_certificate *certificate)
{
    return rt_span_of(certificate->der, certificate->der_size);
}

int64_t rt_certificate_expires(const rt_certificate *certificate)
{
    return certificate->expires;
}

size_t rt_certificate_write_pem(const rt_certificate *certificate, bool key, rt_buffer out)
{
    BIO *bio = BIO_new(BIO_s_mem()); /* wipes its memory when freed */
    bool ok = bio && (key ? PEM_write_bio_PKCS8PrivateKey(bio, certificate->key, NULL, NULL, 0, NULL, NULL) == 1
                          : PEM_write_bio_X509(bio, certificate->x509) == 1);
    char *text = NULL;
    size_t size = ok ? (size_t)BIO_get_mem_data(bio, &text) : 0;
    if (size && size <= out.size)
        memcpy(out.data, text, size);
    BIO_free(bio);
    ERR_clear_error();
    return size;
}
