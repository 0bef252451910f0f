/* OpenSSL with a few algorithms.
 *
 * To read the key of the peer's certificate, OpenSSL 3 goes through all the kinds of keys and all the ways to
 * decode one that its library context offers, 18 and 40: on 3.0 that takes longer than all signatures of the
 * handshake. So DTLS has a library context of its own, whose only provider is OpenSSL's default one without
 * the kinds that WebRTC's certificates and key exchange do not have: 190 us become 60, at both ends.
 */
#include "proto/dtls_internal.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

#define NAME "rtcore"
#define FIRST_NOT_MEASURED 0x30200000UL /* OpenSSL 3.2 */

struct rt_dtls_library {
    _Atomic uint32_t references;
    OSSL_PROVIDER *whole, *few; /* NULL: OpenSSL is used as it is */
    OSSL_LIB_CTX *openssl;
    SSL_CTX *context;
};

/* Whether the first of the colon-separated names is one of ours. */
static bool is_of(const OSSL_ALGORITHM *algorithm, const char *const *names)
{
    size_t size = strcspn(algorithm->algorithm_names, ":");
    for (; *names; names++) {
        if (strlen(*names) == size && memcmp(algorithm->algorithm_names, *names, size) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(int operation, const OSSL_ALGORITHM *algorithm)
{
    static const char *const keys[] = {"EC", "RSA", "RSA-PSS", "ED25519", "X25519", NULL};
    static const char *const certified[] = {"EC", "RSA", "RSA-PSS", "ED25519", NULL};
    switch (operation) {
    case OSSL_OP_KEYMGMT: return is_of(algorithm, keys);
    case OSSL_OP_DECODER:
        return is_of(algorithm, certified) && strstr(algorithm->property_definition, "SubjectPublicKeyInfo");
    default: return true;
    }
}

/* OpenSSL gives these functions the default provider's own context, which its algorithms need; so the provider
 * is looked up by its name. The library holds it, so it is there. */
static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    (void)context;
    OSSL_PROVIDER *whole = OSSL_PROVIDER_load(NULL, "default");
    const OSSL_ALGORITHM *all = whole ? OSSL_PROVIDER_query_operation(whole, operation, no_cache) : NULL;
    size_t count = 0, taken = 0;
    while (all && all[count].algorithm_names)
        count++;
    OSSL_ALGORITHM *few = calloc(count + 1, sizeof *few);
    for (size_t i = 0; few && i < count; i++) {
        if (is_wanted(operation, &all[i]))
            few[taken++] = all[i];
    }
    if (all)
        OSSL_PROVIDER_unquery_operation(whole, operation, all);
    OSSL_PROVIDER_unload(whole);
    return few;
}

static void unquery(void *context, int operation, const OSSL_ALGORITHM *few)
{
    (void)context, (void)operation;
    free((void *)few);
}

/* The groups for key exchange. */
static int get_capabilities(void *context, const char *capability, OSSL_CALLBACK *callback, void *argument)
{
    (void)context;
    OSSL_PROVIDER *whole = OSSL_PROVIDER_load(NULL, "default");
    int done = whole && OSSL_PROVIDER_get_capabilities(whole, capability, callback, argument);
    OSSL_PROVIDER_unload(whole);
    return done;
}

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_UNQUERY_OPERATION, (void (*)(void))unquery},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities},
        {0, NULL},
    };
    (void)handle, (void)in;
    OSSL_PROVIDER *whole = OSSL_PROVIDER_load(NULL, "default");
    if (!whole)
        return 0;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(whole);
    OSSL_PROVIDER_unload(whole);
    return 1;
}

/* OpenSSL is used as it is where this was not measured (3.2 keeps what it has decoded once), and where a program
 * runs without the default provider: one that is certified only, say, has its reasons. */
static bool open_few(rt_dtls_library *library)
{
    if (OpenSSL_version_num() >= FIRST_NOT_MEASURED || OSSL_PROVIDER_available(NULL, "default") != 1)
        return true;
    library->whole = OSSL_PROVIDER_load(NULL, "default");
    library->openssl = OSSL_LIB_CTX_new();
    if (!library->whole || !library->openssl || OSSL_PROVIDER_add_builtin(library->openssl, NAME, init) != 1)
        return false;
    library->few = OSSL_PROVIDER_load(library->openssl, NAME);
    return library->few;
}

rt_dtls_library *rt_dtls_library_new(void)
{
    rt_dtls_library *library = calloc(1, sizeof *library);
    if (!library)
        return NULL;
    library->references = 1;
    if (open_few(library))
        library->context = rt_dtls_context_new(library->openssl);
    if (library->context)
        return library;
    rt_dtls_library_free(library);
    return NULL;
}

rt_dtls_library *rt_dtls_library_ref(rt_dtls_library *library)
{
    library->references++;
    return library;
}

void rt_dtls_library_free(rt_dtls_library *library)
{
    if (!library || --library->references > 0)
        return;
    SSL_CTX_free(library->context);
    OSSL_PROVIDER_unload(library->few);
    OSSL_LIB_CTX_free(library->openssl);
    OSSL_PROVIDER_unload(library->whole);
    free(library);
}

SSL *rt_dtls_library_ssl(const rt_dtls_library *library)
{
    return SSL_new(library->context);
}
